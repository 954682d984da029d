"""A bundle brings the source of what a host is to make, and tells what that takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.made import Outside
from tests.bundle.test_fleet import facts_of_host, fleet_file
from tests.lab import tiny_model


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    tiny_model.write(tmp_path / "m-F32.gguf")
    _write(outside, "m-F32.gguf")
    return outside


def _write(site: Outside, local: str) -> None:
    site.write(
        {
            "project": "p",
            "runtime": "systemd",
            "binaries": {"llama": "/opt/llama-server"},
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": {"local": local}, "quantize": "Q8_0"}},
            "hosts": {"a": [{"model": "m"}]},
        }
    )


def test_it_brings_no_quantizer(site: Outside) -> None:
    code, said = site.create()
    assert code == 0, said
    assert "not in it          a/m: llama-quantize, which makes its model Q8_0" in said


def test_what_is_made_needs_room_too(site: Outside, tmp_path: Path) -> None:
    folder: dict[str, Any] = {"path": "/srv/models", "exists": True, "free": 5 << 19, "total": 1}
    code, said = site.create("--fleet", fleet_file(tmp_path, facts_of_host(folders=[folder])))
    assert code == 0, said
    assert "a: room: 2.6 MiB come to /srv/models, where 2.5 MiB were free" in said


def test_what_cannot_be_made_is_not_carried_there(site: Outside, tmp_path: Path) -> None:
    weights = tmp_path / "m"
    weights.mkdir()
    (weights / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"]}))
    (weights / "model.safetensors").write_bytes(b"\2" * 400)
    _write(site, "m")
    code, said = site.create()
    assert code == 1
    assert "a/m: m cannot be made Q8_0: `quantize` takes a GGUF, and this is not one" in said
    assert "convert_hf_to_gguf.py" in said
