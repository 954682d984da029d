"""A site behind a wall: no route out and no names. Everything comes from one file on a stick."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab import ask, tiny_model
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Ran, Site
from tests.lab.wall import nothing_goes_out

PORT = 8084
NAME = "some/tiny-GGUF"
MODELS = "/srv/walled"
ALIGNED = 32
# What a bundle holds besides models: the manifest, the index and its signature.
SMALL = 50_000


class Stick:
    """A site made outside and applied inside, where the hub is gone."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site, self.file, self.key = site, folder / "site.xgen", folder / "key"
        self.inside = folder / "inside"
        self.inside.mkdir()
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)]
        subprocess.run(make, check=True)
        public = self.key.with_name("key.pub").read_text()
        (folder / "allowed").write_text(f"ada@example.org {public}")

    def create(self, *words: str) -> None:
        made = self._run(
            *("bundle", "create", str(self.site.write()), "-o", str(self.file)),
            *("--sign", str(self.key), *words),
        )
        assert made.code == 0, made.said

    def apply(self) -> Ran:
        ssh = ("--ssh-config", str(self.site.ssh_config))
        allowed = ("--allowed-signers", str(self.key.with_name("allowed")))
        return self._run("apply", "-y", "--bundle", str(self.file), *allowed, *ssh)

    def _run(self, *words: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "xgen_deploy", *words],
            cwd=self.inside,
            env={**self.site.environment(), "PYTHONPATH": str(Path.cwd())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def stick(lab: Lab, tmp_path: Path) -> Iterator[Stick]:
    door, back = lab.hosts("lab-gateway", "lab-back")
    site = Site(tmp_path, "t_walled", ports="8190-8199")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.models["tiny"] = {"source": f"{NAME}:tiny.gguf", "n_ctx": 256, "llama": {"threads": 1}}
    for host in (door, back):
        site.serve(host.name, "tiny")
        site.hosts[host.name] = {"ansible_host": host.address, "xgen_model_dir": MODELS}
    site.top["gateway"] = {"host": door.name, "listen": "0.0.0.0", "port": PORT}
    yield Stick(site, tmp_path)
    site.run("destroy", "-y")
    for host in (door, back):
        host.sh(f"rm -rf {MODELS}")


def test_a_site_behind_the_wall(lab: Lab, stick: Stick, tmp_path: Path) -> None:
    """And a second bundle, of what the site lacks."""
    door, back = lab.hosts("lab-gateway", "lab-back")
    tiny_model.write(tmp_path / "tiny.gguf")
    tiny = (tmp_path / "tiny.gguf").read_bytes()
    more = tiny + b"\0" * ALIGNED
    hub = FakeHub({NAME: Repository({"tiny.gguf": tiny, "more.gguf": more})})
    with serving(hub):
        stick.site.top["fetch"] = {"endpoint": hub.url}
        stick.create()
    whole = stick.file.stat().st_size
    assert whole > len(tiny)
    with nothing_goes_out(door), nothing_goes_out(back):
        _is_served(stick, door, "tiny")
        have = tmp_path / "have.json"
        listed = stick.site.run("models", "--have", str(have))
        assert listed.code == 0, listed.said
        stick.site.models["more"] = {**stick.site.models["tiny"], "source": f"{NAME}:more.gguf"}
        stick.site.serve(back.name, "more")
        with serving(hub):
            stick.site.top["fetch"] = {"endpoint": hub.url}
            stick.create("--have", str(have))
        assert len(more) < stick.file.stat().st_size < len(more) + SMALL
        _is_served(stick, door, "tiny", "more")


def _is_served(stick: Stick, door: LabHost, *models: str) -> None:
    applied = stick.apply()
    assert applied.code == 0, applied.said
    assert all(ask.completion(door, PORT, model=model) for model in models)
    again = stick.apply()
    assert (again.code, "nothing to do" in again.stdout) == (0, True), again.said
