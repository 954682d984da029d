from pathlib import Path
from typing import Any

import pytest

from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, plain
from xgen_deploy.manifest.scalars import core

CASES = sorted((Path(__file__).parent / "cases" / "merging").glob("*.yaml"))


def _expectations(file: Path, key: str) -> dict[str, dict[str, Any]]:
    root = parse(str(file), file.read_text(), core, Problems())
    assert isinstance(root, MapNode)
    node = root.get(key)
    return plain(node) if node else {}  # type: ignore[return-value]


def _reduced(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reduced(item) for key, item in value.items() if item is not None}
    return value


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_what_is_declared_after_merging(file: Path) -> None:
    declared = {f"{one.host}/{one.name}": one for one in load_site(str(file)).declared}
    wanted = _expectations(file, "x-expect")
    assert list(declared) == list(wanted)
    for name, fields in wanted.items():
        found = declared[name].model_dump(mode="json")
        assert {key: _reduced(found[key]) for key in fields} == fields, name
    for name, marks in _expectations(file, "x-marks").items():
        found = {key: str(declared[name].marks[key]) for key in marks}
        assert found == {key: f"{file}:{place}" for key, place in marks.items()}
