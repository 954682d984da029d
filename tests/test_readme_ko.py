"""README.ko.md is in step with README.md: its headings, commands, output and links."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+# .*$", re.MULTILINE)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _levels(text: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", _FENCE.sub("", text), re.MULTILINE)]


def _shown(text: str) -> list[tuple[str, str]]:
    """Every block; comments are translated."""
    return [(kind, _COMMENT.sub("", block)) for kind, block in _FENCE.findall(text)]


def _links(text: str) -> list[str]:
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    return sorted(link for link in links if not link.startswith("README"))


def _spans(text: str) -> list[str]:
    return sorted(re.findall(r"`([^`\n]+)`", _FENCE.sub("", text)))


@pytest.mark.parametrize("part", [_levels, _shown, _links, _spans])
def test_the_korean_one_has_the_same(part) -> None:
    assert part(_text("README.ko.md")) == part(_text("README.md"))


def test_each_names_the_other() -> None:
    assert "](README.ko.md)" in _text("README.md")
    assert "](README.md)" in _text("README.ko.md")
