"""A host makes its model of another with llama.cpp's own quantizer."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ask, engine_site, tiny_model
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.process import LabError
from tests.lab.quantizer import quantizer_dir
from tests.lab.site import Site, alone

HOST, PORT, MODELS = "lab-spare", 8188, "/srv/quantized"
PROGRAM = "/usr/local/bin/llama-quantize"


@pytest.fixture(scope="module")
def quantizer() -> Path:
    try:
        return quantizer_dir()
    except LabError as error:
        pytest.skip(f"optional: no quantizer to be had: {error}")


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        yield found
        found.sh(f"rm -rf {MODELS} /opt/quantizer {PROGRAM}")


@pytest.fixture(params=["systemd", "docker"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """A model of this machine. Nothing on a host with images alone could load it there."""
    tiny_model.write(tmp_path / "tiny-F32.gguf")
    made = Site(tmp_path, "t_quantized", request.param, ports=str(PORT))
    made.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    source = {"local": str(tmp_path / "tiny-F32.gguf")}
    made.models["tiny"] = engine_site.tiny(source=source, quantize="Q4_K_M")
    made.hosts[HOST] = {"xgen_model_dir": MODELS}
    made.serve(HOST, "tiny", listen="0.0.0.0")
    return made


def test_a_model_is_made_and_serves(host: LabHost, site: Site, quantizer: Path) -> None:
    said = site.plan(1).refusals(HOST)
    assert "there is no llama-quantize on this host" in said
    shutil.copytree(quantizer, host.rootfs / "opt/quantizer", symlinks=True)
    host.sh(f"ln -s /opt/quantizer/llama-quantize {PROGRAM}")
    planned = site.plan(2).json()
    (told,) = planned["quantizings"]
    (create,) = planned["hosts"][HOST]["operations"]
    try:
        applied = site.apply()
        assert ("loaded to see that it is whole" in applied.said) == (site.runtime == "systemd")
        assert ask.completion(host, PORT)
        made = host.rootfs / told["place"].lstrip("/")
        # What the plan had forecast of it is what the engine, and the next plan, find.
        assert abs(made.stat().st_size - told["about_bytes"]) < 4096
        assert site.plan(0).operations(HOST) == []
        (row,) = site.run("status", "--json").json()["models"]
        assert create["action"] == "create"
        assert row["model_state"].startswith("recipe:")
        digest = hashlib.sha256(made.read_bytes()).hexdigest()
        assert digest in site.run("models", "--json").stdout
        assert site.run("models verify").code == 0
    finally:
        assert site.run("destroy", "-y").code == 0
