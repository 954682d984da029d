"""Edits of a manifest with all that it extends: what the whole site is afterwards is what was
meant, and nothing else in it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xgen_deploy.manifest.edit.data import alike, drop, get
from xgen_deploy.manifest.edit.edit import edited
from xgen_deploy.manifest.edit.edits import (
    AddPlacement,
    Edit,
    Edited,
    RemoveField,
    RemovePlacement,
    SetField,
    ToPaste,
)
from xgen_deploy.manifest.load import Reading, read
from xgen_deploy.manifest.node import plain
from xgen_deploy.state.engine_words import EngineWords

Placed = dict[tuple[str, str], object]


@dataclass(frozen=True)
class Manifest:
    """How a manifest is read."""

    path: str
    words: EngineWords
    inventory: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()

    def reading(self, text: str | None = None) -> Reading:
        """As it is, or would be. Raises ManifestError with all that is wrong with it."""
        files = {} if text is None else {self.path: text.encode()}
        reading = read(
            self.path,
            self.words,
            inventory=self.inventory,
            variables=self.variables,
            edited=files,
        )
        reading.problems.raise_if_any()
        return reading


def edited_site(manifest: Manifest, text: str, edits: Sequence[Edit]) -> Edited | ToPaste:
    """`text` is the manifest's. Raises ManifestError where it is wrong, before or afterwards."""
    for edit in edits:
        before = _placed(manifest.reading(text))

        def refuses(result: str, edit: Edit = edit, before: Placed = before) -> str:
            return _not_meant(before, _placed(manifest.reading(result)), edit)

        result = edited(text, edit, refuses)
        if isinstance(result, ToPaste):
            return result
        text = result.text
    return Edited(text)


def _placed(reading: Reading) -> Placed:
    return {
        (merged.host, merged.placement.name or merged.placement.model): plain(merged.node)
        for merged in reading.placements
    }


def _not_meant(before: Placed, after: Placed, edit: Edit) -> str:
    """ "" where only the edit's own placement differs, and in what it says alone."""
    if isinstance(edit, AddPlacement):
        own = (edit.host, str(edit.values.get("name") or edit.values.get("model")))
        if own in before:
            return f"{own[0]} has an instance `{own[1]}` already"
        return _others(before, after, own) if own in after else "it would not be placed"
    own = (edit.host, edit.placement)
    if own not in before:
        return f"{edit.host} has no instance `{edit.placement}`"
    if isinstance(edit, RemovePlacement):
        elsewhere = "it is placed by a group or another file too; take it out there"
        return elsewhere if own in after else _others(before, after, own)
    if own not in after or not _same_but(before[own], after[own], edit):
        return "another file, a group or a variable would still decide it"
    return _others(before, after, own)


def _others(before: Placed, after: Placed, own: tuple[str, str]) -> str:
    changed = [
        f"{host}/{name}"
        for host, name in sorted(before.keys() | after.keys())
        if (host, name) != own and not alike(before.get((host, name)), after.get((host, name)))
    ]
    return f"it would change {', '.join(changed)} as well" if changed else ""


def _same_but(before: object, after: object, edit: SetField | RemoveField) -> bool:
    rest = (_filled(drop(data, edit.path)) for data in (before, after))
    is_set = isinstance(edit, RemoveField) or alike(get(after, edit.path), edit.value)
    return is_set and alike(*rest)


def _filled(data: object) -> object:
    """Without empty maps: they state nothing."""
    if not isinstance(data, dict):
        return data
    items = {key: _filled(item) for key, item in data.items()}
    return {key: item for key, item in items.items() if item != {}}
