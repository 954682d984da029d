"""Which files processes of this host have open or mapped, by inode: a file of another device with
the same number counts too, which errs on the safe side.
"""

from __future__ import annotations

import contextlib
import os


def open_inodes() -> set[int]:
    """Of all processes that this one may look at."""
    inodes: set[int] = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            inodes |= _mapped(f"/proc/{pid}/maps")
        with contextlib.suppress(OSError):
            for number in os.listdir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    inodes.add(os.stat(f"/proc/{pid}/fd/{number}").st_ino)
    return inodes


def _mapped(maps: str) -> set[int]:
    with open(maps, "rb") as lines:
        fields = (line.split(None, 5) for line in lines)
        return {int(f[4]) for f in fields if len(f) > 4 and f[4] != b"0"}
