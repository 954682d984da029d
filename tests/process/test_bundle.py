"""A model comes to where its engine loads it out of a bundle, while its hub is gone."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab.site import Ran, Site

NAME = "some/tiny-GGUF"
SOURCE = f"{NAME}:tiny-q8.gguf"


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    files = {"tiny-q8.gguf": model.read_bytes(), "README.md": b"# tiny"}
    with serving(FakeHub({NAME: Repository(files)})) as started:
        yield started


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Of who makes bundles; `allowed` beside it names them."""
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    public = path.with_name("key.pub").read_text()
    path.with_name("allowed").write_text(f"ada@example.org {public}")
    return path


class Bundles:
    """`outside` is where bundles are made, `inside` where they are applied: a folder with nothing
    in it but the bundle."""

    def __init__(self, site: Site, key: Path, folder: Path) -> None:
        self.outside, self.key = site, key
        self.stick, self.inside = folder / "site.xgen", folder / "inside"
        self.inside.mkdir()

    def create(self, *words: str) -> Ran:
        manifest = str(self.outside.write())
        signed = ("--sign", str(self.key)) if "--unsigned" not in words else ()
        more = [word for word in words if word != "--unsigned"]
        return self.run("bundle", "create", manifest, "-o", str(self.stick), *signed, *more)

    def applied(self, command: str, *words: str) -> Ran:
        allowed = ("--allowed-signers", str(self.key.with_name("allowed")))
        return self.run(command, "--bundle", str(self.stick), *allowed, *words)

    def run(self, *words: str) -> Ran:
        done = subprocess.run(
            [sys.executable, "-m", "xgen_deploy", *words],
            cwd=self.inside,
            env={**self.outside.environment(), "PYTHONPATH": str(Path.cwd())},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def bundles(site: Site, hub: FakeHub, key: Path, tmp_path: Path) -> Bundles:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    site.models["tiny"]["source"] = SOURCE
    return Bundles(site, key, tmp_path)


def test_a_site_is_served_from_one_file(bundles: Bundles, hub: FakeHub, tmp_path: Path) -> None:
    bundles.outside.models["tiny"]["api_key"] = {"file": "secrets/key"}
    made = bundles.create("--serial", "7")
    assert made.code == 0, made
    assert "signed" in made.stdout
    assert "the site provides  file" in made.stdout
    asked = len(hub.seen)
    bundles.outside.env["HF_HOME"] = str(tmp_path / "another")
    bundles.outside.env["XDG_CACHE_HOME"] = str(tmp_path / "another-cache")
    planned = bundles.applied("plan")
    assert planned.code == 0, planned
    assert f"> fetch   {SOURCE}" in planned.stdout
    assert "from site.xgen to here" in planned.stdout
    assert "site.xgen, serial 7, signed by ada@example.org" in planned.stdout
    (bundles.inside / "secrets").mkdir()
    (bundles.inside / "secrets/key").write_text("a-key-of-the-site\n")
    fetched = bundles.applied("fetch")
    assert (fetched.code, f"{SOURCE} is there" in fetched.stdout) == (0, True), fetched
    applied = bundles.applied("apply", "-y")
    assert applied.code == 0, applied
    # `ask` takes no bundle.
    assert "curl" in applied.said
    assert "xgen-deploy ask" not in applied.said
    signers = ("--allowed-signers", str(bundles.key.with_name("allowed")))
    unpacked = bundles.run("bundle", "unpack", str(bundles.stick), "-o", "parts", *signers)
    (manifest,) = [word for word in unpacked.stdout.split() if word.endswith("site.yaml")]
    status = bundles.run("status", manifest)
    assert (status.code, f"xgen-deploy ask {manifest}" in status.stdout) == (0, True), status
    again = bundles.applied("apply", "-y")
    assert (again.code, "nothing to do" in again.stdout) == (0, True), again
    assert len(hub.seen) == asked
    placed = list((tmp_path / "models/hf/hub").rglob("tiny-q8.gguf"))
    assert [path.is_symlink() for path in placed] == [True]
    assert b"a-key-of-the-site" not in bundles.stick.read_bytes()

    bundles.outside.env["HF_HOME"] = str(tmp_path / "operator")
    assert bundles.create("--serial", "6").code == 0
    older = bundles.applied("apply", "-y")
    assert (older.code, "has serial 6, and 7 was applied here last" in older.said) == (1, True)
    assert bundles.applied("apply", "-y", "--older").code == 0


def test_an_engine_build_is_in_it(bundles: Bundles, binary: str, tmp_path: Path) -> None:
    archive = tmp_path / "llama.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(Path(binary).parent, "b")
    build = {"archive": archive.name, "path": "b/llama-server"}
    bundles.outside.top["binaries"] = {"llama": build}
    made = bundles.create("--serial", "1")
    assert made.code == 0, made
    archive.unlink()
    planned = bundles.applied("plan")
    assert planned.code == 0, planned
    assert "> fetch   llama.tar.gz" in planned.stdout
    applied = bundles.applied("apply", "-y")
    assert applied.code == 0, applied
    assert len(list((tmp_path / "models/xgen/engines").glob("*/build/b/llama-server"))) == 1


def test_what_the_site_has_is_left_out(bundles: Bundles, model: Path, tmp_path: Path) -> None:
    digest, have = hashlib.sha256(model.read_bytes()).hexdigest(), tmp_path / "have.json"
    hosts = {"here": {"digests": [digest]}}
    have.write_text(json.dumps({"xgen_have": 1, "project": "t", "at": 1, "hosts": hosts}))
    made = bundles.create("--have", str(have))
    assert made.code == 0, made
    assert bundles.stick.stat().st_size < 20_000 < model.stat().st_size
    refused = bundles.applied("plan")
    assert (refused.code, "was made without it" in refused.said) == (1, True), refused
    have.write_text("{}")
    assert "is not what `models --have` writes" in bundles.create("--have", str(have)).stderr
