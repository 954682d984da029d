"""Output: tables and lines, coloured on a terminal, or JSON."""

import re
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from xgen_deploy.cli.options import Settings
from xgen_deploy.visible import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from xgen_deploy.documents.base import Document

# `host/instance  `, `refused  `: what follows such a label goes on below itself.
_LABEL = re.compile(r"\s*\S+\s{2,}")
_LONGEST_LABEL = 30


class Screen:
    """Standard output of one command."""

    def __init__(self, settings: Settings) -> None:
        self.json = settings.json
        self._output = settings.output
        self.quiet = settings.quiet

    @cached_property
    def _console(self) -> "Console":
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True, emoji=False)

    @property
    def width(self) -> int | None:
        """Of the terminal; None where there is none, and nothing is cut."""
        if self.json or not self._console.is_terminal:
            return None
        return self._console.width

    @property
    def is_interactive(self) -> bool:
        """Whether somebody looks at it who can press keys."""
        return self.width is not None and sys.stdin.isatty()

    def lines(self, lines: Iterable[str], *, always: bool = False, exact: bool = False) -> None:
        """Prints lines with `rich` markup; none with --json, and with -q only those of `always`.
        On a terminal they are broken between words, unless they are to be copied as they are
        (`exact`).
        """
        if self.json or (self.quiet and not always):
            return
        for line in lines:
            print_line(self._console, line, exact=exact)

    def note(self, text: str) -> None:
        """On standard error, so that the output alone can be piped; none with --json or -q."""
        if not self.json and not self.quiet:
            print(printable(text), file=sys.stderr)

    def value(self, document: "Document", *, more: bool = False) -> None:
        """Prints a JSON document at the end of the run, with --json only. `more`: at once, because
        others follow it.
        """
        if more:
            self._output.snapshot(document)
        else:
            self._output.document(document)


def print_line(console: "Console", line: str, *, exact: bool = False) -> None:
    """A line with markup, on a terminal broken between words unless `exact`."""
    width = console.width if console.is_terminal and not exact else None
    for piece in broken(printable(line), width):
        console.print(piece)


def broken(line: str, width: int | None) -> "Sequence[str | Text]":
    """A line with markup in pieces of at most `width`; a word that is longer stays whole."""
    if width is None or len(line) <= width:
        return [line]
    from rich.text import Text

    text = Text.from_markup(line, emoji=False)
    label = _LABEL.match(text.plain)
    start = len(text.plain) - len(text.plain.lstrip())
    hang = label.end() if label and label.end() <= _LONGEST_LABEL else start + 4
    pieces: list[Text] = []
    while text.cell_len > width:
        cut = text.plain.rfind(" ", len(pieces) and hang, width + 1)
        cut = cut if cut > hang else text.plain.find(" ", hang + 1)
        if cut < 0:
            break
        tail = text[cut:]
        tail = tail[len(tail.plain) - len(tail.plain.lstrip()) :]
        pieces.append(text[:cut])
        text = Text(" " * hang).append_text(tail)
    return [*pieces, text]


def aligned(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """One line a row, in columns as wide as their widest cell; every row has the same number of
    cells. For a few short ones without a head; else see table.py.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        gap.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
