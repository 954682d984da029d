"""A manifest's text with one edit of its `hosts:`. Pure.

What comes of it is read again and compared with what was meant; where that is another, or the text
cannot be edited in place, the lines to paste are returned instead.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import yaml

from xgen_deploy.manifest.diagnostics import ManifestError, Problems
from xgen_deploy.manifest.edit import operations
from xgen_deploy.manifest.edit.data import alike, append, drop, get, put
from xgen_deploy.manifest.edit.edits import (
    AddPlacement,
    Edit,
    Edited,
    RemoveField,
    RemovePlacement,
    SetField,
    ToPaste,
)
from xgen_deploy.manifest.edit.snippet import override, snippet
from xgen_deploy.manifest.edit.text import CannotEdit
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import Path, plain
from xgen_deploy.manifest.scalars import core

_OTHERWISE = "the edited text would not say what was meant"
Refuses = Callable[[str], str]


def edited(text: str, edit: Edit, refuses: Refuses | None = None) -> Edited | ToPaste:
    """`refuses` says what else is wrong with a text, "" where nothing is: what the whole site is
    then, with all that the manifest extends. Raises ManifestError where `text` is no manifest."""
    reason = "it is written in a group's entry or in another file; change it there"
    for attempt in _attempts(as_data(text), edit):
        try:
            result = attempt.run(text)
            read = as_data(result)
        except CannotEdit as error:
            reason = str(error)
            continue
        except (ManifestError, yaml.YAMLError):
            reason = _OTHERWISE
            continue
        reason = "" if alike(read, attempt.meant) else _OTHERWISE
        if not reason and refuses is not None:
            reason = refuses(result)
        if not reason:
            return Edited(result)
    return ToPaste(reason, snippet(edit))


def as_data(text: str) -> object:
    """Raises ManifestError."""
    problems = Problems()
    root = parse("", text, core, problems)
    problems.raise_if_any()
    return None if root is None else plain(root)


@dataclass(frozen=True)
class _Attempt:
    """A change of the text, and the data that it has to become."""

    run: Callable[[str], str]
    meant: object


def _attempts(data: object, edit: Edit) -> Iterator[_Attempt]:
    """The ways to say it, the best first."""
    entry: Path = ("hosts", edit.host)
    if isinstance(edit, AddPlacement):
        yield _append(data, entry, dict(edit.values))
        return
    at = _position(data, edit.host, edit.placement)
    if isinstance(edit, SetField):
        if at is None:
            yield _append(data, entry, override(edit))
        else:
            yield _put(data, (*entry, at, *edit.path), edit.value)
    elif at is not None and isinstance(edit, RemoveField):
        path = _outermost(data, (*entry, at, *edit.path), len(entry) + 2)
        yield _drop(data, path)
    elif at is not None and isinstance(edit, RemovePlacement):
        if _count(data, entry) > 1:
            yield _drop(data, (*entry, at))
        else:
            yield _put(data, entry, [])
            yield _drop(data, _outermost(data, entry, 1))


def _put(data: object, path: Path, value: object) -> _Attempt:
    meant = put(data, path, value)
    return _Attempt(lambda text: operations.put(text, path, meant), meant)


def _append(data: object, path: Path, value: object) -> _Attempt:
    meant = append(data, path, value)
    return _Attempt(lambda text: operations.append(text, path, meant), meant)


def _drop(data: object, path: Path) -> _Attempt:
    return _Attempt(lambda text: operations.drop(text, path), drop(data, path))


def _position(data: object, host: str, placement: str) -> int | None:
    """Where the host's own entry has it."""
    items = get(data, ("hosts", host))
    for at, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and placement == (item.get("name") or item.get("model")):
            return at
    return None


def _count(data: object, path: Path) -> int:
    items = get(data, path)
    return len(items) if isinstance(items, list) else 0


def _outermost(data: object, path: Path, shortest: int) -> Path:
    """No empty map is left behind: it is the one that goes then."""
    while len(path) > shortest and _is_alone(get(data, path[:-1])):
        path = path[:-1]
    return path


def _is_alone(parent: object) -> bool:
    return isinstance(parent, dict) and len(parent) == 1
