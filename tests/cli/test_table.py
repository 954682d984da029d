"""Tables fit the terminal: columns go in their order, and no word is broken."""

import pytest
from rich.text import Text

from xgen_deploy.cli.screens.table import Cell, Table, wrapped

DROP = ("WHEN", "WHERE")


def table() -> Table:
    made = Table(("WHO", "WHEN", "WHERE", "WHAT"), DROP)
    made.add("ann", "yesterday", "in the north", Cell("went home early", "red"))
    made.add("모델", "now", "[bold]", "stays")
    made.add("gone", "a sentence that says why there is nothing more to be said")
    return made


def plain(width: int | None) -> list[str]:
    head, rows = table().lines(width)
    return [Text.from_markup(line).plain for lines in (head, *rows) for line in lines]


def test_without_a_terminal_everything_is_there() -> None:
    assert plain(None) == [
        "WHO   WHEN       WHERE         WHAT",
        "ann   yesterday  in the north  went home early",
        "모델  now        [bold]        stays",
        "gone  a sentence that says why there is nothing more to be said",
    ]


def test_columns_go_in_the_stated_order_and_sentences_are_wrapped() -> None:
    assert plain(40) == [
        "WHO   WHERE         WHAT",
        "ann   in the north  went home early",
        "모델  [bold]        stays",
        "gone  a sentence that says why there is",
        "      nothing more to be said",
    ]
    assert plain(26)[:3] == ["WHO   WHAT", "ann   went home early", "모델  stays"]


@pytest.mark.parametrize("width", [26, 30, 36, 40, 60, 80])
def test_no_line_is_wider_and_no_word_is_broken(width: int) -> None:
    lines = plain(width)
    words = {word for line in plain(None) for word in line.split()}
    assert max(Text(line).cell_len for line in lines) <= width
    assert {word for line in lines for word in line.split()} <= words


def test_a_word_that_is_too_long_stays_whole() -> None:
    long = "x" * 50
    assert wrapped(f"a {long} b", 20) == ["a", long, "b"]
