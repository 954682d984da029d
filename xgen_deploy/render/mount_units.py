"""The mount units that a folder may lie on: systemd.unit(5), String Escaping for Inclusion in Unit
Names.

RequiresMountsFor= would fail the start for good where a mount fails once, as it does on a file
server that boots more slowly; WantsMountsFor= is there since systemd 256 only.
"""

import posixpath
from collections.abc import Iterable

_LONGEST = 255  # bytes of a unit's name
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_.")


def mount_units(folders: Iterable[str]) -> tuple[str, ...]:
    """Of these folders and all above them; a unit that does not exist is passed over."""
    names: dict[str, None] = {}
    for folder in folders:
        parts = posixpath.normpath(folder).strip("/").split("/")
        for count in range(1, len(parts) + 1):
            name = f"{_escaped('/'.join(parts[:count]))}.mount"
            if len(name) <= _LONGEST and parts != [""]:
                names[name] = None
    return tuple(names)


def _escaped(path: str) -> str:
    return "".join(_character(byte, first=n == 0) for n, byte in enumerate(path.encode()))


def _character(byte: int, *, first: bool) -> str:
    if byte == ord("/"):
        return "-"
    plain = byte in _PLAIN and not (first and byte == ord("."))
    return chr(byte) if plain else f"\\x{byte:02x}"
