"""The names of engines that a manifest may use; the registry's, passed to its loader."""

from dataclasses import dataclass

from pydantic import ValidationInfo
from pydantic_core import PydanticKnownError

_AUTO = "auto"
_GATEWAY = "haproxy"


@dataclass(frozen=True)
class EngineWords:
    """The context (in pydantic's sense) of everything that names an engine."""

    backends: tuple[str, ...]
    families: tuple[str, ...]
    vendors: tuple[str, ...]

    @property
    def choices(self) -> tuple[str, ...]:
        """For `backend:`."""
        return (_AUTO, *self.families, *self.backends)

    @property
    def table_keys(self) -> tuple[str, ...]:
        """For `images:` and `binaries:`."""
        return (*self.backends, *self.families, *self.vendors, _GATEWAY)


def known_choice(value: object, info: ValidationInfo) -> str:
    return _one_of(_words(info).choices, value)


def known_table_key(value: object, info: ValidationInfo) -> str:
    return _one_of(_words(info).table_keys, value)


def _words(info: ValidationInfo) -> EngineWords:
    if not isinstance(info.context, EngineWords):
        raise TypeError("names of engines are checked against EngineWords, given as the context")
    return info.context


def _one_of(words: tuple[str, ...], value: object) -> str:
    """Checked like a pydantic Literal, with its error."""
    *first, last = (repr(word) for word in words)
    if not isinstance(value, str) or value not in words:
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(first)} or {last}"})
    return value
