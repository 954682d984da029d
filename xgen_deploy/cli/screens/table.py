"""Tables that fit the terminal: a column goes as a whole, no word is broken. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.markup import escape

_GAP = "  "
# The last column's sentence is wrapped where it has at least this much room, else it goes on.
_LEAST = 20


@dataclass(frozen=True)
class Cell:
    """`style` is one of `rich`."""

    text: str
    style: str = ""


@dataclass
class Table:
    """`drop` names the columns that go where there is no room, in this order. A row with fewer
    cells than `head` ends in a sentence that goes over the columns which it leaves out.
    """

    head: Sequence[str]
    drop: Sequence[str] = ()
    rows: list[tuple[Cell, ...]] = field(default_factory=list)

    def add(self, *cells: str | Cell) -> None:
        self.rows.append(tuple(c if isinstance(c, Cell) else Cell(c) for c in cells))

    def lines(self, width: int | None) -> tuple[list[str], list[list[str]]]:
        """The head's lines and each row's, with markup. `width` None: every column, uncut."""
        columns = self._fitting(width)
        widths = {c: self._width(c) for c in columns}
        head = tuple(Cell(name, "dim") for name in self.head)
        head_lines = list(_row_lines(head, columns, widths, width))
        return head_lines, [list(_row_lines(r, columns, widths, width)) for r in self.rows]

    def whole(self, width: int | None) -> list[str]:
        """All lines."""
        head, rows = self.lines(width)
        return [*head, *(line for lines in rows for line in lines)]

    def fits(self, width: int | None) -> bool:
        """Whether no column has to go."""
        return width is None or self._needed(range(len(self.head))) <= width

    def _fitting(self, width: int | None) -> list[int]:
        columns = list(range(len(self.head)))
        for name in self.drop:
            if width is None or self._needed(columns) <= width:
                break
            columns.remove(self.head.index(name))
        return columns

    def _needed(self, columns: Sequence[int]) -> int:
        return sum(self._width(c) for c in columns) + len(_GAP) * (len(columns) - 1)

    def _width(self, column: int) -> int:
        cells = [r[column].text for r in self.rows if self._is_own(r, column)]
        return max(cell_len(text) for text in (self.head[column], *cells))

    def _is_own(self, row: tuple[Cell, ...], column: int) -> bool:
        """Not a sentence that goes over several columns."""
        return column < len(row) - (len(row) < len(self.head))


def _row_lines(
    row: tuple[Cell, ...], columns: Sequence[int], widths: dict[int, int], width: int | None
) -> Iterator[str]:
    if len(row) > columns[-1]:
        before, last = list(columns[:-1]), row[columns[-1]]
    else:
        before, last = [c for c in columns if c < len(row) - 1], row[-1]
    start = "".join(
        _styled(row[c], row[c].text + " " * (widths[c] - cell_len(row[c].text))) + _GAP
        for c in before
    )
    indent = sum(widths[c] + len(_GAP) for c in before)
    pieces = wrapped(last.text, None if width is None else width - indent)
    for number, piece in enumerate(pieces):
        line = (start if number == 0 else " " * indent) + _styled(last, piece)
        yield line.rstrip()


def _styled(cell: Cell, text: str) -> str:
    if not cell.style or not text.strip():
        return escape(text)
    word = text.rstrip()
    return f"[{cell.style}]{escape(word)}[/]{text[len(word) :]}"


def wrapped(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width`, broken between words; one longer word stays whole."""
    if width is None or width < _LEAST or cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in text.split(" "):
        longer = f"{line} {word}" if line else word
        if line and cell_len(longer) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]
