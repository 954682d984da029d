"""The hosts' histories of applies, and what is said of an apply that they do not have."""

from collections.abc import Iterable, Mapping

from xgen_deploy.apply.history import read_entries
from xgen_deploy.errors import UsageError, XgenError, exit_code_of
from xgen_deploy.run.run import Run
from xgen_deploy.state.record import HistoryEntry
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each

Histories = Mapping[str, tuple[HistoryEntry, ...] | XgenError]
_MOST_NUMBERS = 10


def entries_by_host(run: Run) -> dict[str, tuple[HistoryEntry, ...] | XgenError]:
    """Each host's recorded applies, oldest first; an error where it could not be reached."""

    def read_host(connection: Connection) -> tuple[HistoryEntry, ...]:
        with connection.session() as session:
            return read_entries(session, run.layout(connection.name))

    return each(list(run.connections.values()), read_host)


def numbers_of(histories: Histories) -> list[int]:
    """Of all applies that a host has recorded."""
    reached = (e for e in histories.values() if not isinstance(e, XgenError))
    return sorted({entry.apply.number for entries in reached for entry in entries})


def no_such_apply(number: int, known: Iterable[int], histories: Histories) -> XgenError:
    """The error for a number that is none of the `known` ones."""
    newest = ", ".join(f"#{n}" for n in sorted(known)[-_MOST_NUMBERS:])
    there_are = f"; there are {newest}" if newest else ""
    return not_recorded(f"there is no record of apply #{number}{there_are}", histories)


def not_recorded(why: str, histories: Histories) -> XgenError:
    """Where a host was not reached it may know of such an apply."""
    lost = [e for e in histories.values() if isinstance(e, XgenError)]
    if not lost:
        return UsageError(f"{why}; `xgen-deploy history` lists all")
    reasons = "\n".join(str(e) for e in lost)
    if len(lost) == len(histories):
        error = XgenError(f"no host was reached: which applies there were is unknown\n{reasons}")
    else:
        error = XgenError(f"{why} on the hosts that were reached; not seen:\n{reasons}")
    error.exit_code = exit_code_of(lost)
    return error
