"""Output: tables and lines, coloured on a terminal, or JSON."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from xgen_deploy.cli.options import Settings
from xgen_deploy.visible import printable

if TYPE_CHECKING:
    from xgen_deploy.cli.documents.base import Document

WIDEST = 120


class Screen:
    """Standard output of one command."""

    def __init__(self, settings: Settings) -> None:
        self.json = settings.json
        self._output = settings.output
        self.quiet = settings.quiet

    def lines(self, lines: Iterable[str], *, always: bool = False) -> None:
        """Prints lines with `rich` markup; none with --json, and with -q only those of `always`."""
        if self.json or (self.quiet and not always):
            return
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True, emoji=False)
        for line in lines:
            console.print(printable(line))

    def value(self, document: "Document", *, more: bool = False) -> None:
        """Prints a JSON document at the end of the run, with --json only. `more`: at once, because
        others follow it.
        """
        if more:
            self._output.snapshot(document)
        else:
            self._output.document(document)


def aligned(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """One line a row, in columns as wide as their widest cell; every row has the same number of
    cells. All but the last are cut to WIDEST, so that one long cell does not shift every row.
    """
    cut = [tuple(cell[:WIDEST] for cell in row[:-1]) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cut, strict=True)]
    starts = [(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cut]
    return [gap.join((*s, row[-1])).rstrip() for s, row in zip(starts, rows, strict=True)]
