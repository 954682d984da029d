"""Columns of text, aligned by their widest cell."""

from collections.abc import Sequence

WIDEST = 120


def aligned(rows: Sequence[Sequence[str]], gap: str = "  ") -> list[str]:
    """One line a row; every row has the same number of cells. Only the last may be longer than
    WIDEST: the others are cut, so that one row's cell does not push those of all rows away.
    """
    cut = [tuple(cell[:WIDEST] for cell in row[:-1]) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cut, strict=True)]
    starts = [(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cut]
    return [gap.join((*s, row[-1])).rstrip() for s, row in zip(starts, rows, strict=True)]
