"""Text in columns whose words were replaced by shorter or longer ones. Pure."""

import re
from collections.abc import Callable, Sequence
from itertools import groupby

_CELL = re.compile(r"\S+(?: \S+)*")
_GAP = 2


def realigned(lines: Sequence[str], replace: Callable[[str], str]) -> list[str]:
    """The lines with `replace` done in each cell. Cells are apart by two blanks or more; those that
    began in one column do so again.
    """
    blocks = groupby(lines, key=lambda line: bool(line.strip()))
    return [line for _, block in blocks for line in _block(list(block), replace)]


def _block(lines: Sequence[str], replace: Callable[[str], str]) -> list[str]:
    """Of lines with no empty one among them, or of empty ones."""
    rows = [[(m.start(), replace(m[0])) for m in _CELL.finditer(line)] for line in lines]
    starts: dict[int, int] = {}
    for column in sorted({start for row in rows for start, _ in row}):
        before = (_cell_before(row, column) for row in rows)
        ends = [starts[start] + len(text) + _GAP for start, text in filter(None, before)]
        starts[column] = max(ends, default=column)
    return [_line(row, starts) for row in rows]


def _cell_before(row: Sequence[tuple[int, str]], column: int) -> tuple[int, str] | None:
    """The cell ahead of the one that begins in this column; None where none does."""
    at = next((n for n, (start, _) in enumerate(row) if start == column), 0)
    return row[at - 1] if at else None


def _line(row: Sequence[tuple[int, str]], starts: dict[int, int]) -> str:
    line = ""
    for start, text in row:
        line = line.ljust(starts[start]) + text
    return line
