"""A secret's value, so that no log, traceback or exception can show it by accident."""

from typing import Literal

# What a secret is for decides what it may hold (see secret_rules.py).
Kind = Literal["key", "env", "url"]


class SecretText:
    """Masked wherever it is printed; `reveal` is for the file or the header that it goes into."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "<secret>"
