"""A secret's value in a type that no log, traceback or exception can show by accident."""

from typing import Literal

# A secret's use decides which characters it may have (see state/secret_rules.py).
Kind = Literal["key", "env", "url"]


class SecretText:
    """Masked wherever it is printed; `reveal` is for the file or header that it is written to."""

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
