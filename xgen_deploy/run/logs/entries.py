"""Lines of several instances' logs: from what the host's command prints to what is shown. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE

_HEADER = re.compile(rb"==> (.{1,4096}) <==")


@dataclass(frozen=True)
class LogEntry:
    """`at` is in seconds since the epoch; None where the log has no times. `instance` is empty
    where the host does not tell."""

    host: str
    instance: str
    text: str
    at: float | None = None


class JournalEntries:
    """Of `journalctl --output=json`; `units` maps each unit to its instance."""

    def __init__(self, host: str, units: Mapping[str, str]) -> None:
        self._host = host
        self._units = units

    def read(self, line: bytes) -> Iterator[LogEntry]:
        """A message of several lines is several entries; what cannot be read is none."""
        try:
            entry = read_json(line, PAGE)
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            unit = str(entry.get("UNIT") or entry.get("_SYSTEMD_UNIT"))
            message = entry["MESSAGE"]
            if isinstance(message, list):  # a message that is no UTF-8
                message = bytes(message).decode(errors="backslashreplace")
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        for text in str(message).splitlines():
            yield LogEntry(self._host, self._units.get(unit, ""), text, at)


class FileEntries:
    """Of `tail` over files; `files` maps each to its instance. Headers tell several apart."""

    def __init__(self, host: str, files: Mapping[str, str]) -> None:
        self._host = host
        self._files = files
        self._current = next(iter(files.values()), "")

    def read(self, line: bytes) -> Iterator[LogEntry]:
        header = _HEADER.fullmatch(line)
        path = header[1].decode(errors="replace") if header else ""
        if path in self._files:
            self._current = self._files[path]
        elif line:
            yield LogEntry(self._host, self._current, line.decode(errors="backslashreplace"))
