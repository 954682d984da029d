"""The process runtime on this machine, with a real engine and a model made by the tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import engine, payload
from tests.lab import payload as lab_payload
from tests.lab import tiny_model
from tests.lab.site import Site
from tests.ports import free_port

HERE = "here"


PORT = free_port(in_a_row=2)


@pytest.fixture(scope="session")
def binary() -> str:
    """The demo's engine, or the lab's where the lab is required."""
    from_demo = payload.place() / engine.FOLDER / "llama-server"
    if from_demo.exists():
        return str(from_demo)
    if os.environ.get("XGEN_REQUIRE_LAB") != "1":
        pytest.skip("no llama-server here; `make demo` fetches one")
    return str(lab_payload.engine_dir() / "llama-server")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    tiny_model.write(path)
    return path


@pytest.fixture
def state() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="xgen-") as folder:
        yield Path(folder) / "state"


@pytest.fixture
def site(binary: str, model: Path, tmp_path: Path, state: Path) -> Iterator[Site]:
    """One instance, not applied yet; gone again at the end, its supervisor too."""
    found = Site(tmp_path, "t_process", "process", ports=f"{PORT}-{PORT + 1}", ssh_config=None)
    found.hosts[HERE] = {"ansible_connection": "local"}
    found.env["XDG_STATE_HOME"] = str(state)
    found.top["binaries"] = {"llama": binary}
    found.models["tiny"] = {"source": str(model), "n_ctx": 256, "llama": {"threads": 1}}
    found.serve(HERE, "tiny")
    yield found
    ended = found.run("destroy", "-y")
    assert ended.code == 0, ended
