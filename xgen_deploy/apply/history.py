"""The history of applies on a host: one small file each, the oldest dropped."""

import re

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import HISTORY_ENTRIES, HISTORY_ENTRY
from xgen_deploy.run.logs.lines import LineSplitter
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import FORMAT, ApplyRecord, HistoryEntry
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.visible import on_one_line

_ASK = 30.0
_NUMBER = re.compile("[0-9]{1,16}")


def write_entry(context: HostContext, apply: ApplyRecord) -> None:
    """Writes what runs now, as it was declared."""
    declared = tuple(r.declared for r in context.record.instances.values() if r.declared)
    entry = HistoryEntry(apply=apply, declared=declared)
    context.session.make_dir(context.layout.history, mode=0o700)
    text = entry.model_dump_json(exclude_none=True)
    context.session.write_file(_path(context.layout, apply.number), text.encode(), mode=0o600)
    for number in sorted(_numbers(context.session, context.layout))[:-HISTORY_ENTRIES]:
        context.session.remove(_path(context.layout, number), within=context.layout.history)


def read_entries(session: Session, layout: Layout) -> tuple[HistoryEntry, ...]:
    """Oldest first, without entries that are damaged or that a newer version wrote."""
    entries = []
    for number in sorted(_numbers(session, layout))[-HISTORY_ENTRIES:]:
        entry = _entry(session.read_file(_path(layout, number)) or b"", number)
        entries += [entry] if entry is not None else []
    return tuple(entries)


def followed_entries(connection: Connection, layout: Layout) -> tuple[HistoryEntry, ...]:
    """The same over a connection that cannot open a session."""
    contents: dict[int, bytes] = {}

    def take(line: bytes) -> None:
        path, _, content = line.partition(b":")
        stem = path.rpartition(b"/")[2].removesuffix(b".json").decode(errors="replace")
        if _NUMBER.fullmatch(stem):
            contents[int(stem)] = content
        if len(contents) > HISTORY_ENTRIES:
            del contents[min(contents)]

    splitter = LineSplitter(take, HISTORY_ENTRY)
    argv = ["grep", "-srH", "--include=*.json", "", layout.history]
    connection.follow(argv, timeout=_ASK, take=splitter)
    splitter.end()
    entries = (_entry(content, number) for number, content in sorted(contents.items()))
    return tuple(entry for entry in entries if entry is not None)


def _entry(content: bytes, number: int) -> HistoryEntry | None:
    """None where it is damaged, or a newer version wrote it."""
    try:
        entry = HistoryEntry.model_validate(on_one_line(read_json(content, HISTORY_ENTRY)))
    except ValueError:
        return None
    return entry if entry.format <= FORMAT and entry.apply.number == number else None


def _numbers(session: Session, layout: Layout) -> list[int]:
    done = session.run(["ls", layout.history], timeout=_ASK)
    stems = (name.removesuffix(".json") for name in done.stdout.split())
    return [int(s) for s in stems if _NUMBER.fullmatch(s)]


def _path(layout: Layout, number: int) -> str:
    return f"{layout.history}/{number}.json"
