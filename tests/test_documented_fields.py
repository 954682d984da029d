"""Every field of a manifest is in docs/manifest.md, and no other."""

import re
from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.json_schema import json_schema

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "manifest.md").read_text()
SCHEMA = json_schema(engine_words())
SECTIONS: dict[str, dict[str, Any]] = {**SCHEMA["definitions"], "Manifest": SCHEMA}
# Those that have a table of their own, under a heading of this name.
TABLES = {
    "LlamaSettings": "llama",
    "VllmSettings": "vllm",
    "Draft": "draft",
    "Lora": "loras",
    "Sampling": "sampling",
    "ContainerSettings": "container",
    "Update": "update",
}


def _fields(name: str) -> set[str]:
    return set(SECTIONS[name].get("properties", {}))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_field_is_named(name: str) -> None:
    assert {f for f in _fields(name) if not re.search(rf"(?<![\w-]){f}(?::|`)", PAGE)} == set()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_fields_of_its_section(name: str) -> None:
    part = PAGE.partition(f"### `{TABLES[name]}`\n")[2].partition("\n#")[0]
    cells = [row.split("|")[1] for row in part.splitlines() if row.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == _fields(name)
