"""What can be asked of a manifest's `hosts:`, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SetField:
    """`path` is below the placement: ("n_ctx",), ("llama", "parallel"). `model` is what it places,
    for an override of a placement that is written elsewhere. None resets the field."""

    host: str
    placement: str
    model: str
    path: tuple[str, ...]
    value: object


@dataclass(frozen=True)
class RemoveField:
    """Only what the host's own entry states can be removed there."""

    host: str
    placement: str
    path: tuple[str, ...]


@dataclass(frozen=True)
class AddPlacement:
    host: str
    values: Mapping[str, object]


@dataclass(frozen=True)
class RemovePlacement:
    host: str
    placement: str


Edit = SetField | RemoveField | AddPlacement | RemovePlacement


@dataclass(frozen=True)
class Edited:
    text: str


@dataclass(frozen=True)
class ToPaste:
    """The text could not be edited: why, and what a person can write there ("" where nothing can
    be written that would have that effect)."""

    reason: str
    snippet: str = ""
