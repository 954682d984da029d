"""Every edit of every manifest at hand, in several styles of writing, says what was meant or is
offered to be pasted; what it does not concern stays as it is."""

import difflib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.edit.edit import as_data, edited
from xgen_deploy.manifest.edit.edits import (
    AddPlacement,
    Edit,
    Edited,
    RemoveField,
    RemovePlacement,
    SetField,
)

ROOT = Path(__file__).resolve().parents[2]
NEW = {"model": "other", "gpus": [0]}
MOST = 8  # of a manifest; which ones, is another for each
VALUES = (8192, "50%", [0, 1], [[0], [1]], None)
Data = dict[str, Any]
STYLES: dict[str, Callable[[str], str]] = {
    "as written": str,
    "other line ends": lambda text: text.replace("\n", "\r\n"),
    "no last line end": lambda text: text.rstrip("\n"),
    "JSON": lambda text: json.dumps(as_data(text)),
    "JSON over lines": lambda text: json.dumps(as_data(text), indent=2),
    "block": lambda text: yaml.safe_dump(as_data(text), default_flow_style=False),
    "brackets": lambda text: yaml.safe_dump(as_data(text), default_flow_style=True, width=40),
}


def _manifests() -> Iterator[Any]:
    for path in sorted([*ROOT.glob("manifests/*.y*ml"), *ROOT.glob("tests/**/*.y*ml")]):
        try:
            text = path.read_text()
            data = as_data(text)
        except (ManifestError, UnicodeDecodeError):
            continue
        if isinstance(data, dict) and any(True for _ in _placements(data)):
            yield pytest.param(text, id=str(path.relative_to(ROOT)))


def _placements(data: Data) -> Iterator[tuple[str, int, Data]]:
    hosts = data.get("hosts")
    for host, items in hosts.items() if isinstance(hosts, dict) else ():
        for at, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict) and isinstance(item.get("model"), str):
                yield host, at, item


def _edits(data: Data) -> Iterator[tuple[Edit, Callable[[list[Data]], None]]]:
    """Each with the same of the host's list."""
    for host, at, item in _placements(data):
        name = item.get("name") or item["model"]
        if any((p.get("name") or p.get("model")) == name for p in data["hosts"][host][:at]):
            continue
        for number, key in enumerate([*item, "n_ctx", "gpus"]):
            value = VALUES[number % len(VALUES)]
            if key not in ("model", "name"):
                yield (
                    SetField(host, name, item["model"], (key,), value),
                    partial(_set, at, key, value),
                )
        for key in item.keys() - {"model", "name"}:
            yield RemoveField(host, name, (key,)), partial(_unset, at, key)
        yield RemovePlacement(host, name), partial(_remove, at)
        yield AddPlacement(host, NEW), _add


def _set(at: int, key: str, value: object, items: list[Data]) -> None:
    items[at][key] = value


def _unset(at: int, key: str, items: list[Data]) -> None:
    del items[at][key]


def _remove(at: int, items: list[Data]) -> None:
    del items[at]


def _add(items: list[Data]) -> None:
    items.append(NEW)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("manifest", list(_manifests()))
def test_every_edit_says_what_was_meant_or_is_offered(manifest: str, style: str) -> None:
    text = STYLES[style](manifest)
    data: Data = as_data(text)  # type: ignore[assignment]
    edits = list(_edits(data))
    for edit, change in edits[:: 1 + len(edits) // MOST]:
        result = edited(text, edit)
        if not isinstance(result, Edited):
            assert result.reason
            assert bool(result.snippet) == isinstance(edit, SetField | AddPlacement)
            continue
        meant: Data = as_data(text)  # type: ignore[assignment]
        change(meant["hosts"][edit.host])
        assert as_data(result.text) == meant, edit
        if style != "JSON over lines":  # a value takes many of them
            _assert_little_changed(text, result.text, edit)


def _assert_little_changed(before: str, after: str, edit: Edit) -> None:
    lines = list(difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True)))
    gone = [line for line in lines if line.startswith("- ")]
    if isinstance(edit, AddPlacement):
        assert len(gone) <= 2, edit
    if isinstance(edit, SetField) and not any(line.lstrip("- ").startswith("-") for line in gone):
        assert len(gone) <= 4, edit
    if not isinstance(edit, RemovePlacement | RemoveField):
        assert before.count(" #") <= after.count(" #"), edit
    ends = [text.count("\r\n") == text.count("\n") for text in (before, after)]
    assert ends[1] or not ends[0], edit


def test_the_manifests_at_hand_are_many() -> None:
    assert len(list(_manifests())) > 15
