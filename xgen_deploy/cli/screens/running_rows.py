"""What is under way, a row for each, with clocks that tick while nothing is heard."""

import time

from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from xgen_deploy.apply.events import Event
from xgen_deploy.visible import printable

_FIRST = 10.0
_SELDOM = 60.0


class _Row:
    def __init__(self) -> None:
        self.text = ""
        self.began = time.monotonic()
        self.spinner = Spinner("dots")


class RunningRows:
    """Drawn several times a second by another thread than the one that changes it, so the rows are
    replaced and never changed in place.
    """

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}

    def keep(self, event: Event) -> None:
        name = where(event)
        if event.kind in ("done", "failed"):
            self._rows = {n: row for n, row in self._rows.items() if n != name}
            return
        row = self._rows.get(name) or _Row()
        row.text = event.text
        self._rows = {**self._rows, name: row}

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        table.add_column(no_wrap=True)
        now = time.monotonic()
        for name, row in self._rows.items():
            text = printable(row.text).replace("\n", " ")
            table.add_row(
                row.spinner, Text(printable(name)), Text(text), f"{now - row.began:.0f} s"
            )
        return table


class Intervals:
    """When a step that goes on is told again where every line stays: after 10, 20 and 40 s, then
    every minute.
    """

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def is_due(self, event: Event) -> bool:
        """Any event that is not such an update is."""
        name = where(event)
        if event.waited is None:
            self._next.pop(name, None)
            return True
        if event.waited < self._next.get(name, _FIRST):
            return False
        self._next[name] = next_after(event.waited)
        return True


def next_after(waited: float) -> float:
    """Twice as long, but at most a minute more."""
    return waited + min(max(waited, _FIRST), _SELDOM)


def where(event: Event) -> str:
    return f"{event.host}/{event.instance}" if event.instance else event.host
