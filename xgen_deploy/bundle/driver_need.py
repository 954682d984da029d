"""The NVIDIA driver that an image asks for by `NVIDIA_REQUIRE_CUDA`, which NVIDIA's container
toolkit holds a container to when it starts. Pure.
"""

import re
from collections.abc import Sequence

_NAME = "NVIDIA_REQUIRE_CUDA="
_TERM = re.compile(r"(cuda|driver)(>=|<)(\d+(?:\.\d+)?)")
# The newest CUDA of each branch of drivers, by its first number (CUDA's release notes).
_CUDA = {
    450: (11, 0), 455: (11, 1), 460: (11, 2), 465: (11, 3), 470: (11, 4), 495: (11, 5),
    510: (11, 6), 515: (11, 7), 520: (11, 8), 525: (12, 0), 530: (12, 1), 535: (12, 2),
    545: (12, 3), 550: (12, 4), 555: (12, 5), 560: (12, 6), 565: (12, 7), 570: (12, 8),
    575: (12, 9), 580: (13, 0),
}  # fmt: skip


def unmet_driver(env: Sequence[str], driver: str) -> str | None:
    """What the image asks for where this driver is too old, such as `CUDA 12.8`; None where it will
    do, or nobody can tell. The brand of the card is not looked at: where some card would do with
    this driver, it is not complained of."""
    stated = next((e.removeprefix(_NAME) for e in env if e.startswith(_NAME)), "")
    branch = re.match(r"\d+", driver)
    cuda = _cuda_of(int(branch[0])) if branch else None
    if not stated or branch is None or cuda is None:
        return None
    if any(_holds(group, int(branch[0]), cuda) for group in stated.split()):
        return None
    first = next((m for m in map(_TERM.fullmatch, re.split(r"[ ,]", stated)) if m), None)
    return f"CUDA {first[3]}" if first is not None and first[1] == "cuda" else None


def _cuda_of(branch: int) -> tuple[int, int] | None:
    """Of the newest known branch that is not newer; None for one that is newer than all."""
    if branch > max(_CUDA):
        return None
    older = [b for b in _CUDA if b <= branch]
    return _CUDA[max(older)] if older else None


def _holds(group: str, branch: int, cuda: tuple[int, int]) -> bool:
    """Whether all of `brand=tesla,driver>=535,driver<536` are so."""
    terms = [m for m in map(_TERM.fullmatch, group.split(",")) if m]
    return bool(terms) and all(_term(m[1], m[2], m[3], branch, cuda) for m in terms)


def _term(what: str, how: str, number: str, branch: int, cuda: tuple[int, int]) -> bool:
    major, _, minor = number.partition(".")
    stated = (int(major), int(minor or 0))
    own = cuda if what == "cuda" else (branch, 0)
    return own >= stated if how == ">=" else own < stated
