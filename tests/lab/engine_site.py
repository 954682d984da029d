"""The lab's small models on a host, and what the tool tells of one instance that serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab import minilm, tiny_beside, tiny_model
from tests.lab.host import LabHost
from tests.lab.site import Fields, Site

MODELS = "/srv/lab-models"
TINY = f"{MODELS}/tiny.gguf"
ADAPTER = f"{MODELS}/tiny-lora.gguf"
PROJECTOR = f"{MODELS}/tiny-mmproj.gguf"
TEMPLATE = f"{MODELS}/tiny.jinja"
MINILM = f"{MODELS}/minilm.gguf"
# Shaders are compiled for the CPU here, which takes longer than all the rest. The only place
# that a unit may write to, and that is not cleared when it stops, is below /dev.
_SHADERS = "/dev/xgen-lab-shaders"


def shaders(instance: str) -> dict[str, str]:
    """The environment of an engine on the software GPU: each user needs a folder of its own."""
    return {"MESA_SHADER_CACHE_DIR": f"{_SHADERS}/{instance}"}


def place_models(host: LabHost) -> None:
    """Writes the models that the tests make to the host's disk."""
    folder = _inside(host, MODELS)
    folder.mkdir(parents=True, exist_ok=True)
    if not _inside(host, TINY).exists():
        tiny_model.write(_inside(host, TINY))
        tiny_beside.write_adapter(_inside(host, ADAPTER))
        tiny_beside.write_projector(_inside(host, PROJECTOR))
        _inside(host, TEMPLATE).write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    if not _inside(host, MINILM).exists():
        _inside(host, MINILM).write_bytes(minilm.gguf().read_bytes())
    host.sh(
        f"mountpoint -q {_SHADERS} || {{ mkdir -p {_SHADERS};"
        f" mount -t tmpfs -o size=64m,mode=1777 xgen-lab-shaders {_SHADERS}; }}"
    )


def tiny(**fields: Any) -> Fields:
    """A model of the manifest. Fields of `llama` are added to its own."""
    llama = {"threads": 1, "parallel": 1, **fields.pop("llama", {})}
    return {"source": TINY, "n_ctx": 256, "llama": llama, **fields}


def status(site: Site) -> Fields:
    """The one instance of `status --json`."""
    (row,) = site.run("status", "--json").json()["models"]
    found: Fields = row
    return found


def took_what_was_forecast(row: Fields) -> None:
    """Of `status --json`."""
    told, taken = row["forecast"]["devices"], row["devices"]
    for need, device in zip(told, taken, strict=True):
        sizes = (device["model_mib"], device["kv_mib"], device["compute_mib"])
        print(row["instance"], device["name"], "forecast", need, "taken", sizes)
        assert sum(need.values()) == pytest.approx(sum(sizes), rel=0.02, abs=0.1)
    assert row["warnings"] == []


def differences(site: Site, *words: str) -> list[str]:
    """What `verify` found wrong, a line each; its exit code must say the same."""
    done = site.run("verify", "--json", *words)
    checks = done.json()["checks"]
    found = [f"{c['what']}: {c['found']}" for c in checks if not c["ok"]]
    assert checks, done.said
    assert done.code == bool(found), done.said
    return found


def _inside(host: LabHost, path: str) -> Path:
    return host.rootfs / path.lstrip("/")
