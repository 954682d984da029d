"""What drivers were measured to take counts in fleets in a file too."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_header
from tests.fit.measured import model

CARD = {"name": "Odd", "type": "nvidia", "memory_mb": 8192}
MEASURED = {"gpu": "Odd", "driver": "570.1", "engine": "llama-server-cuda", "mib": 890}


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    file = write_header(Path("mistral.gguf"), model("mistral-7b"))
    host = {"cards": [CARD], "driver": "570.1", "models": {"/m/m.gguf": file.name}}
    manifest = {
        "project": "p",
        "images": {"llama": "llama:1"},
        "inventory": {"all": {"hosts": {"h": {}}}},
        "models": {"m": {"source": "/m/m.gguf", "n_ctx": "auto"}},
        "hosts": {"h": [{"model": "m"}]},
    }
    Path("site.yaml").write_text(yaml.safe_dump(manifest))
    return {"hosts": {"h": host}}


def _said(capsys: Capsys, fleet: dict[str, Any], command: str = "plan") -> tuple[int, str]:
    Path("fleet.yaml").write_text(yaml.safe_dump(fleet))
    return call(capsys, command, "site.yaml", "--fleet", "fleet.yaml")


def _slots(said: str) -> int:
    return int(said.partition("slots x ")[2].split()[0])


def test_the_context_leaves_room_for_what_the_driver_takes(
    fleet: dict[str, Any], capsys: Capsys
) -> None:
    usual = _slots(_said(capsys, fleet)[1])
    measured = _slots(_said(capsys, {**fleet, "drivers": [MEASURED]})[1])
    Path("drivers.yaml").write_text(yaml.safe_dump({"drivers": [MEASURED]}))
    beside = _slots(_said(capsys, {**fleet, "drivers": "drivers.yaml"})[1])
    other = _slots(_said(capsys, {**fleet, "drivers": [{**MEASURED, "driver": "580"}]})[1])
    assert usual == other
    assert usual > measured == beside


WRONG = [
    ([{**MEASURED, "mib": 10_000}], "900"),
    ([{**MEASURED, "mibs": 1}], "mibs"),
    ("none.yaml", "none.yaml: there is no such file; expected a file of drivers"),
    ("site.yaml", "site.yaml: a file of drivers is a map with `drivers:`"),
]


@pytest.mark.parametrize(("drivers", "why"), WRONG)
def test_what_is_wrong_is_named(
    drivers: object, why: str, fleet: dict[str, Any], capsys: Capsys
) -> None:
    code, said = _said(capsys, {**fleet, "drivers": drivers})
    assert code == 1
    assert why in said
