"""Long lists: searched and shown a page at a time. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")
ROWS = 50


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of the rows that match `search`; pages count from 1. `is_long`: there are so many
    that one would search."""

    rows: Sequence[Row]
    search: str
    page: int
    pages: int
    is_long: bool


def listing(
    rows: Sequence[Row], text: Callable[[Row], str], search: str = "", page: int = 1
) -> Listing[Row]:
    """`text` is what is searched of a row; every word has to be in it."""
    words = search.lower().split()
    matching = [row for row in rows if all(word in text(row).lower() for word in words)]
    pages = max(1, -(-len(matching) // ROWS))
    page = min(max(page, 1), pages)
    shown = matching[(page - 1) * ROWS : page * ROWS]
    return Listing(shown, search, page, pages, len(rows) > ROWS)
