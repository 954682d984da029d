"""Logs as they come from hosts: filtered, and those of several instances in one."""

import heapq
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.logs import EntryOfLog, LogsDocument
from xgen_deploy.errors import XgenError, exit_code_of
from xgen_deploy.run.logs.entries import FileEntries, JournalEntries, LogEntry
from xgen_deploy.run.logs.lines import LineSplitter
from xgen_deploy.run.logs.request import LogRequest, log_argv, units_of
from xgen_deploy.run.run import Run
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each
from xgen_deploy.visible import printable, visible


@dataclass(frozen=True)
class Target:
    """An instance on one of its hosts."""

    host: str
    instance: str


def matching_lines(connection: Connection, argv: Sequence[str], request: LogRequest) -> list[bytes]:
    """The newest ones, oldest first. Raises UnreachableError."""
    kept: deque[bytes] = deque(maxlen=request.most)

    def use(line: bytes) -> None:
        if request.matches(line.decode(errors="replace")):
            kept.append(line)

    splitter = LineSplitter(use)
    connection.follow(argv, take=splitter)
    splitter.end()
    return list(kept)


def follow_matching(
    connection: Connection, argv: Sequence[str], request: LogRequest, *, raw: bool
) -> int:
    """Prints them as they come; the exit status."""

    def use(line: bytes) -> None:
        if not request.matches(line.decode(errors="replace")):
            return
        if raw:
            sys.stdout.buffer.write(line + b"\n")
        else:
            print(visible(line.decode(errors="backslashreplace")))
        sys.stdout.flush()

    return connection.follow(argv, take=LineSplitter(use))


def show_lines(screen: Screen, target: Target, lines: Sequence[bytes], *, raw: bool) -> None:
    """One instance's."""
    if raw:
        sys.stdout.buffer.write(b"".join(line + b"\n" for line in lines))
        return
    texts = [line.decode(errors="backslashreplace") for line in lines]
    screen.value(LogsDocument(host=target.host, instance=target.instance, lines=tuple(texts)))
    if not screen.json:
        for text in texts:
            print(visible(text))


def show_several(run: Run, targets: Sequence[Target], request: LogRequest, screen: Screen) -> int:
    """Every instance's lines in the order of their times, or with `follow` as they come. Returns
    the exit code."""
    hosts = tuple(dict.fromkeys(t.host for t in targets))
    width = max(len(f"{t.host}/{t.instance}") for t in targets)
    printing = threading.Lock()

    def show(entry: LogEntry) -> None:
        with printing:
            print(_line(entry, width))
            sys.stdout.flush()

    def read_host(connection: Connection) -> list[LogEntry]:
        names = tuple(t.instance for t in targets if t.host == connection.name)
        kept: deque[LogEntry] = deque(maxlen=request.most)
        _read(run, connection, names, request, show if request.follow else kept.append)
        return list(kept)

    connections = [run.connections[host] for host in hosts]
    # A thread a host: what is followed does not end.
    results = each(connections, _telling(read_host), max_workers=len(hosts))
    read = [r for r in results.values() if not isinstance(r, XgenError)]
    merged = list(heapq.merge(*read, key=lambda entry: entry.at or 0.0))
    if not screen.json:
        for entry in merged:
            show(entry)
    screen.value(LogsDocument(entries=_values(merged), errors=tuple(host_errors(results))))
    return exit_code_of(r for r in results.values() if isinstance(r, XgenError))


def _read(
    run: Run,
    connection: Connection,
    instances: tuple[str, ...],
    request: LogRequest,
    use: Callable[[LogEntry], None],
) -> None:
    layout = run.layout(connection.name)
    argv = log_argv(layout, instances, request, entries=True)
    entries: JournalEntries | FileEntries
    if layout.process_dir is None:
        entries = JournalEntries(connection.name, units_of(layout, instances))
    else:
        entries = FileEntries(connection.name, {layout.log(n): n for n in instances})

    def use_line(line: bytes) -> None:
        for entry in entries.read(line):
            if request.matches(entry.text):
                use(entry)

    splitter = LineSplitter(use_line)
    connection.follow(argv, take=splitter)
    splitter.end()


def _telling(
    read_host: Callable[[Connection], list[LogEntry]],
) -> Callable[[Connection], list[LogEntry]]:
    """Says at once why a host cannot be read, while the others go on."""

    def read(connection: Connection) -> list[LogEntry]:
        try:
            return read_host(connection)
        except XgenError as error:
            print(printable(str(error)), file=sys.stderr)
            raise

    return read


def _line(entry: LogEntry, width: int) -> str:
    where = f"{entry.host}/{entry.instance}" if entry.instance else entry.host
    at = "" if entry.at is None else time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(entry.at))
    return printable(f"{at}{where:<{width}}  {entry.text}")


def _values(entries: Sequence[LogEntry]) -> tuple[EntryOfLog, ...]:
    return tuple(
        EntryOfLog(time=e.at, host=e.host, instance=e.instance or None, text=e.text)
        for e in entries
    )
