"""The errors (Xid) that NVIDIA's driver wrote into the kernel's log, counted since boot."""

from __future__ import annotations

import errno
import glob
import os
import re
from typing import Any, Iterator

from xgen_deploy.probe.remote.gpu_found import pci_address
from xgen_deploy.probe.remote.reading import read_pairs, read_text
from xgen_deploy.watch.remote.samples import Sample, sample

KERNEL_LOG = "/dev/kmsg"
BOOT = "/proc/sys/kernel/random/boot_id"
CARDS = "/proc/driver/nvidia/gpus/*/information"
LONGEST = 8192
MOST_LINES = 100_000
MOST_KINDS = 1000
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9A-Fa-f:.]{4,20})\): (\d{1,5}),")


def xid_samples(state: dict[str, Any]) -> list[Sample]:
    """The kernel keeps its last messages only, so what was counted before is in `state`, with the
    number of the last message that was looked at."""
    boot = (read_text(BOOT) or "").strip()
    known = state.get("xid") or {}
    if known.get("boot") != boot:
        known = {}
    counts: dict[str, int] = dict(known.get("counts") or {})
    following = int(known.get("next") or 0)
    for number, text in messages():
        match = _XID.search(text) if number >= following else None
        following = max(following, number + 1)
        if match and (len(counts) < MOST_KINDS or _key(match) in counts):
            counts[_key(match)] = counts.get(_key(match), 0) + 1
    state["xid"] = {"boot": boot, "next": following, "counts": counts}
    uuids = _uuids() if counts else {}
    return [_sample(key, count, uuids) for key, count in sorted(counts.items())]


def messages(path: str = KERNEL_LOG) -> Iterator[tuple[int, str]]:
    """Each message's number and text (the kernel's Documentation/ABI/testing/dev-kmsg)."""
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return
    try:
        for _ in range(MOST_LINES):
            try:
                line = os.read(log, LONGEST).decode("utf-8", "replace")
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EPIPE:
                    continue  # it was overwritten meanwhile; the next one is the oldest
                return
            head, _, text = line.partition(";")
            numbers = head.split(",")
            if len(numbers) > 1 and numbers[1].isdigit():
                yield int(numbers[1]), text.partition("\n")[0]
            elif not line:
                return
    finally:
        os.close(log)


def _key(match: re.Match[str]) -> str:
    """`0000:41:00.0 79`."""
    address = match[1] if "." in match[1] else match[1] + ".0"
    return f"{pci_address(address) or match[1]} {match[2]}"


def _sample(key: str, count: int, uuids: dict[str, str]) -> Sample:
    address, _, xid = key.partition(" ")
    gpu = uuids.get(address, address)
    return sample("xgen_gpu_xid_errors_total", count, gpu_uuid=gpu, xid=xid)


def _uuids() -> dict[str, str]:
    """By PCI address, as the driver tells them while it has the card."""
    cards = (read_pairs(path, ":") for path in glob.glob(CARDS))
    pairs = ((pci_address(c.get("Bus Location", "")), c.get("GPU UUID", "")) for c in cards)
    return {address: uuid for address, uuid in pairs if address and uuid.startswith("GPU-")}
