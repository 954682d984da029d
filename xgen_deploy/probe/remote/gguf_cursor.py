"""A forward reader over a GGUF file's header, which refuses nonsense."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

STRING, ARRAY = 8, 9
SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_LAYOUTS = {code: struct.Struct("<" + code) for code in SCALARS.values()}
_LENGTH = _LAYOUTS["Q"]
LONGEST_STRING = 1 << 24
SHOWN_STRING = 1024
LONGEST_HEADER = 1 << 28
MOST_VALUES = 1 << 28
DEEPEST = 4
SHORT = 1000  # an array that is read
CHUNK = 1 << 18


class NotGGUF(Exception):
    """What is wrong with the header."""


class Cursor:
    """Reads little-endian values one after the other; `size` is the whole file's."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._buffer = b""
        self._at = 0
        self._start = 0

    @property
    def position(self) -> int:
        return self._start + self._at

    def take(self, count: int) -> bytes:
        self._need(count)
        self._at += count
        return self._buffer[self._at - count : self._at]

    def scalar(self, code: str) -> Any:
        return self.unpack(_LAYOUTS[code])[0]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        self._need(layout.size)
        self._at += layout.size
        return layout.unpack_from(self._buffer, self._at - layout.size)

    def skip(self, count: int) -> None:
        if self.position + count > self._size:
            raise EOFError
        if self.position + count > LONGEST_HEADER:
            raise NotGGUF(f"its header is longer than {LONGEST_HEADER >> 20} MiB")
        if self._at + count <= len(self._buffer):
            self._at += count
            return
        self._start, self._buffer, self._at = self.position + count, b"", 0
        self._file.seek(self._start)

    def string(self) -> str:
        length = self._string_length()
        text = self.take(min(length, SHOWN_STRING)).decode("utf-8", "replace")
        if length > SHOWN_STRING:
            self.skip(length - SHOWN_STRING)
        return text

    def value(self, kind: int) -> Any:
        """A scalar, a string or a short array of whole numbers; another one is skipped and yields
        None."""
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self._array()
        if kind not in SCALARS:
            raise NotGGUF(f"it holds a value of the unknown type {kind}")
        return self.scalar(SCALARS[kind])

    def _array(self) -> list[Any] | None:
        kind, count = self.scalar("I"), self.scalar("Q")
        if count <= SHORT and SCALARS.get(kind, "f") not in "fd":
            return [self.scalar(SCALARS[kind]) for _ in range(count)]
        self._skip_items(kind, count, 1)
        return None

    def skip_array(self, depth: int) -> None:
        kind, count = self.scalar("I"), self.scalar("Q")
        self._skip_items(kind, count, depth)

    def _skip_items(self, kind: int, count: int, depth: int) -> None:
        if count > MOST_VALUES or depth > DEEPEST:
            raise NotGGUF(f"it claims an array of {count} values")
        if kind == STRING:
            self._skip_strings(count)
        elif kind == ARRAY:
            for _ in range(count):
                self.skip_array(depth + 1)
        elif kind in SCALARS:
            self.skip(count * _LAYOUTS[SCALARS[kind]].size)
        else:
            raise NotGGUF(f"it holds an array of the unknown type {kind}")

    def _skip_strings(self, count: int) -> None:
        """A vocabulary has hundreds of thousands: no call a string while the buffer lasts."""
        length_of = _LENGTH.unpack_from
        while count:
            buffer, at, end = self._buffer, self._at, len(self._buffer) - 8
            while count and at <= end:
                (length,) = length_of(buffer, at)
                if at + 8 + length > len(buffer):
                    break
                at += 8 + length
                count -= 1
            self._at = at
            if count:
                self.skip(self._string_length())
                count -= 1
                if self._at >= len(self._buffer):
                    self._fill(0)

    def _string_length(self) -> int:
        length = int(self.unpack(_LENGTH)[0])
        if length > LONGEST_STRING:
            raise NotGGUF(f"it claims a text of {length} bytes")
        return length

    def _need(self, count: int) -> None:
        if len(self._buffer) - self._at < count:
            self._fill(count)
            if len(self._buffer) < count:
                raise EOFError

    def _fill(self, count: int) -> None:
        rest = self._buffer[self._at :]
        self._start += self._at
        if self._start > LONGEST_HEADER:
            raise NotGGUF(f"its header is longer than {LONGEST_HEADER >> 20} MiB")
        self._buffer = rest + self._file.read(max(CHUNK, count) - len(rest))
        self._at = 0
