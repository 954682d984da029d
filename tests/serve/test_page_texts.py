"""The page's texts: the same ones in both languages, all of them used and none missing."""

import json
import re
import string
from pathlib import Path

import pytest

from xgen_deploy.serve import page
from xgen_deploy.serve.page.language import LANGUAGES
from xgen_deploy.serve.page.listing import listing

FOLDER = Path(page.__file__).parent
TEXTS = {
    language: json.loads((FOLDER / "texts" / f"{language}.json").read_text(encoding="utf-8"))
    for language in LANGUAGES
}
# Named by a value: a state, a kind of GPU, an action, a part of the page.
_BY_VALUE = re.compile(
    "^(state|change|what)_|^(cuda|rocm|gpu|cpu|hosts|models|start|stop|restart|edit|remove)$"
)


def values_in(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, korean = TEXTS["en"], TEXTS["ko"]
    assert english.keys() == korean.keys()
    assert {n: values_in(t) for n, t in english.items()} == {
        n: values_in(t) for n, t in korean.items()
    }
    assert all(text.strip() for texts in TEXTS.values() for text in texts.values())


def test_every_text_is_used_and_every_one_used_is_there() -> None:
    templates = "".join(p.read_text(encoding="utf-8") for p in (FOLDER / "templates").iterdir())
    named = set(re.findall(r't\.(?:say|of)\("(\w+)"', templates))
    named |= set(re.findall(r"\bt\.(\w+)\b(?!\()", templates)) - {"language", "other"}
    known = set(TEXTS["en"])
    named = {name for name in named if not name.endswith("_")}
    assert named - known == set()
    assert {name for name in known - named if not _BY_VALUE.search(name)} == set()


@pytest.mark.parametrize(
    ("search", "page", "shown", "pages"),
    [("", 1, 50, 3), ("", 3, 20, 3), ("", 9, 20, 3), ("1 0", 1, 12, 1), ("none", 1, 0, 1)],
)
def test_long_lists(search: str, page: int, shown: int, pages: int) -> None:
    found = listing([str(n) for n in range(120)], str, search, page)
    assert (len(found.rows), found.pages) == (shown, pages)
