"""Output of engines and hosts, cut so that it can be searched and shown."""

from collections.abc import Iterator

# Characters. vLLM's longest useful line has its settings in the first 2000.
LONGEST = 4096


def short_lines(text: str) -> Iterator[str]:
    """The lines, each cut to LONGEST, because a pattern's cost grows with the line."""
    for line in text.split("\n"):
        yield line[:LONGEST]


def cut(text: str, most: int) -> str:
    """At most `most` characters, the last an ellipsis where some were cut."""
    return text if len(text) <= most else text[: most - 1] + "…"
