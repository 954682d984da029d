"""A unit's journal, read whole: what a process printed right before its end is in it too."""

from collections.abc import Iterator

from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.transport.base import Session

_ASK = 30.0
# A line longer than journalctl shows by default would be null in JSON.
_JSON = ("--output=json", "--all", "--output-fields=MESSAGE,_SYSTEMD_INVOCATION_ID")


def sync(session: Session) -> None:
    """Comes back once the journal has taken in everything that was printed before: journald serves
    this request after all that waits in its sockets (journalctl(1), `--sync`)."""
    session.run(["journalctl", "--sync"], timeout=_ASK)


def unit_log_argv(unit: str, run: str | None, lines: int | None) -> list[str]:
    """One start that goes on, or all starts of a unit, as text."""
    argv = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]
    argv += [] if lines is None else [f"--lines={lines}"]
    return argv if run is None else [*argv, f"_SYSTEMD_INVOCATION_ID={run}"]


def run_log_argv(unit: str, lines: int) -> list[str]:
    """The last that a unit's processes printed, without systemd's own words about it, for
    `lines_of_run`."""
    of_unit = f"_SYSTEMD_UNIT={unit}"
    return ["journalctl", "--no-pager", "--boot", *_JSON, f"--lines={lines}", of_unit]


def suppressed_argv() -> list[str]:
    """What journald dropped because a unit printed too much at once, for `suppressed`."""
    dropped = "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e"  # SD_MESSAGE_JOURNAL_DROPPED
    return ["journalctl", "--no-pager", "--boot", *_JSON, "--lines=500", dropped]


def suppressed(text: str, unit: str, began: int) -> str | None:
    """journald's own sentence about this unit since then: `Suppressed 12 messages from UNIT`."""
    lines = (line for line in lines_since(text, began) if unit in line)
    return next((line[:1].lower() + line[1:] for line in lines), None)


def kernel_log_argv() -> list[str]:
    """For `lines_since`."""
    return ["journalctl", "--dmesg", "--no-pager", *_JSON, "--lines=500"]


def lines_of_run(text: str, run: str, began: int | None) -> tuple[str, ...]:
    """Of one start. A process that dies at once is gone before journald can look up its start:
    its lines name the unit alone, so those since `began` (where this is the last start;
    microseconds of the monotonic clock) belong to it.
    """
    lines: list[str] = []
    for entry, at in _entries(text):
        named = entry.get("_SYSTEMD_INVOCATION_ID")
        if named == run or (named is None and began is not None and at >= began):
            lines += _lines(entry)
    return tuple(lines)


def lines_since(text: str, began: int) -> tuple[str, ...]:
    """From this moment on; microseconds of the monotonic clock."""
    return tuple(line for entry, at in _entries(text) if at >= began for line in _lines(entry))


def _entries(text: str) -> Iterator[tuple[dict[str, object], int]]:
    for line in text.splitlines():
        try:
            entry = read_json(line, PAGE)
            yield entry, int(entry["__MONOTONIC_TIMESTAMP"])
        except (ValueError, KeyError, TypeError):
            continue


def _lines(entry: dict[str, object]) -> list[str]:
    """A message that is no UTF-8 comes as a list of bytes."""
    message = entry.get("MESSAGE")
    if isinstance(message, list):
        try:
            message = bytes(message).decode(errors="replace")
        except (TypeError, ValueError):
            return []
    return message.splitlines() if isinstance(message, str) else []
