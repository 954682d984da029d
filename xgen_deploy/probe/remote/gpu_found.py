"""What a detector hands to the chain."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

MIB = 1 << 20
_ADDRESS = re.compile(r"^(?:([0-9a-fA-F]{4,8}):)?([0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])$")


class NotHere(Exception):
    """Why a detector has nothing to say on this host."""


class Found(NamedTuple):
    """`gpus` as in GPUInfo, in the detector's order; `lost` are (which, why).

    `vendors` says whose each GPU is, where a detector sees those of several.
    """

    gpus: list[dict[str, Any]]
    lost: list[tuple[str, str]]
    vendors: tuple[str, ...] = ()


def pci_address(text: str | None) -> str | None:
    """The kernel's form, `0000:41:00.0`, of any other one."""
    match = _ADDRESS.match((text or "").strip())
    if not match:
        return None
    return "{:04x}:{}".format(int(match[1] or "0", 16), match[2].lower())


def mebibytes(count: int | None) -> int | None:
    return None if count is None else count // MIB
