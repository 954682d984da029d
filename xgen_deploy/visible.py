"""Makes text from a host safe to print. Pure.

A process name or a log line on a host must not move the terminal's cursor, hide text or change its
direction. Newline and tab stay.
"""

import codecs
import json
from typing import TypeVar

LONGEST_LINE = 4000
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_BIDI = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_ZERO_WIDTH = (0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF)
_LINES = (0x2028, 0x2029)
_SURROGATES = range(0xD800, 0xE000)
_UNSEEN = (*_CONTROLS, *_BIDI, *_ZERO_WIDTH, *_LINES, *_SURROGATES)
_TEXT = {n: f"\\x{n:02x}" if n < 0x100 else f"\\u{n:04x}" for n in _UNSEEN if chr(n) not in "\n\t"}
_BREAKS = str.maketrans({"\n": r"\n", "\t": r"\t"})
_JSON = {n: f"\\u{n:04x}" for n in _UNSEEN if n >= 0x20}


def visible(text: str) -> str:
    """The text with invisible characters spelled out: `\\x1b`, `\\u202e`."""
    return text.translate(_TEXT)


def printable(text: str) -> str:
    """The same with lines cut to LONGEST_LINE."""
    return "\n".join(_shortened(visible(line)) for line in text.split("\n"))


Value = TypeVar("Value")


def on_one_line(value: Value) -> Value:
    """A text, or every key and text in a JSON value, with line breaks and tabs spelled out, so that
    a host's field cannot print a line of its own.
    """
    escaped: object = value
    if isinstance(value, str):
        escaped = value.translate(_BREAKS)
    elif isinstance(value, dict):
        escaped = {on_one_line(key): on_one_line(item) for key, item in value.items()}
    elif isinstance(value, list):
        escaped = [on_one_line(item) for item in value]
    return escaped  # type: ignore[return-value]


def _shortened(line: str) -> str:
    more = len(line) - LONGEST_LINE
    return line if more <= 0 else f"{line[:LONGEST_LINE]}... ({more} more characters)"


def json_text(value: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON with invisible characters escaped; it parses to the same value."""
    compact = (",", ":") if indent is None else None
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only, separators=compact)
    return text.translate(_JSON)


class VisibleStream:
    """Bytes that arrive in pieces, as visible text; bytes that are not UTF-8 are spelled out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def add(self, piece: bytes, *, last: bool = False) -> str:
        """A character split between two pieces is returned with the second."""
        return visible(self._decoder.decode(piece, last))
