"""Text that an engine or a host printed, made short enough to be searched and shown."""

from collections.abc import Iterator

# Characters. vLLM's longest line of use says its settings within the first 2000.
LONGEST = 4096


def short_lines(text: str) -> Iterator[str]:
    """Its lines, each cut: what a pattern costs grows with the line."""
    for line in text.split("\n"):
        yield line[:LONGEST]


def cut(text: str, most: int) -> str:
    """At most so many characters; an ellipsis says where there were more."""
    return text if len(text) <= most else text[: most - 1] + "…"
