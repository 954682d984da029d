"""A model comes from a hub to where its engine loads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab.site import Site

NAME = "some/tiny-GGUF"
OTHER = b"the other quantisation" * 1000


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    files = {"tiny-q8.gguf": model.read_bytes(), "tiny-q4.gguf": OTHER, "README.md": b"# tiny"}
    with serving(FakeHub({NAME: Repository(files)})) as started:
        yield started


@pytest.fixture
def fetching(site: Site, hub: FakeHub, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    site.models["tiny"]["source"] = f"{NAME}:tiny-q8.gguf"
    return site


def test_it_is_fetched_before_the_change(fetching: Site, hub: FakeHub, tmp_path: Path) -> None:
    planned = fetching.run("plan")
    assert planned.code == 0, planned
    assert f"> fetch   {NAME}:tiny-q8.gguf" in planned.stdout
    assert not hub.downloads("tiny-q8.gguf")[1:]  # its header alone
    applied = fetching.run("apply", "-y")
    assert applied.code == 0, applied
    assert f"{NAME}:tiny-q8.gguf is there" in applied.stdout
    again = fetching.run("apply", "-y")
    assert (again.code, "nothing to do" in again.stdout) == (0, True), again
    placed = list((tmp_path / "models/hf/hub").rglob("tiny-q8.gguf"))
    assert len(placed) == 1
    assert placed[0].is_symlink()
    assert not hub.downloads("tiny-q4.gguf")


def test_fetch_brings_it_and_starts_nothing(fetching: Site, hub: FakeHub, tmp_path: Path) -> None:
    fetched = fetching.run("fetch")
    assert fetched.code == 0, fetched
    assert f"> fetch   {NAME}:tiny-q8.gguf" in fetched.stdout
    assert f"{NAME}:tiny-q8.gguf is there" in fetched.stdout
    assert "fetch: 1 done, all good" in fetched.stdout
    assert not list((tmp_path / "models").rglob("record.json"))
    assert fetching.run("status").code == 1
    before = len(hub.downloads("tiny-q8.gguf"))
    again = fetching.run("fetch")
    assert (again.code, "nothing to fetch" in again.stdout) == (0, True), again
    fetching.apply()
    assert len(hub.downloads("tiny-q8.gguf")) == before


def test_what_cannot_be_had_fails_it(fetching: Site, hub: FakeHub) -> None:
    hub.wrong["tiny-q8.gguf"] = b"x" * 1000
    fetched = fetching.run("fetch", "--json", "--limit-rate", "200M")
    *_, end = map(json.loads, fetched.stdout.splitlines())
    assert (fetched.code, end["kind"], end["number"], end["exit_code"]) == (1, "end", None, 1)
    assert "tiny-q8.gguf" in end["errors"][0]["message"]


def test_a_rate_is_a_size(fetching: Site) -> None:
    refused = fetching.run("fetch", "--limit-rate", "fast")
    assert (refused.code, "`fast` is no rate" in refused.stderr) == (1, True), refused


def test_what_is_deleted_under_a_running_instance_comes_back(
    fetching: Site, tmp_path: Path
) -> None:
    assert fetching.run("apply", "-y").code == 0
    before = fetching.run("status", "--json").json()["models"][0]["since"]
    (placed,) = (tmp_path / "models/hf/hub").rglob("tiny-q8.gguf")
    placed.resolve().unlink()
    placed.unlink()
    planned = fetching.run("plan", "--detailed-exitcode")
    assert (planned.code, "> fetch" in planned.stdout) == (3, True), planned
    applied = fetching.run("apply", "-y")
    assert applied.code == 0, applied
    assert placed.exists()
    assert fetching.run("status", "--json").json()["models"][0]["since"] == before
    assert "nothing to do" in fetching.run("plan").stdout
