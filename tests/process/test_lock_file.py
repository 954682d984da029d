"""With a lock file, what was looked at once is what runs, whatever the hub says later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import COMMIT, FakeHub, Repository, serving
from tests.lab.site import Site

NAME = "some/tiny-GGUF"
LATER = "d" * 40


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    files = {"tiny-q8.gguf": model.read_bytes(), "README.md": b"# tiny"}
    with serving(FakeHub({NAME: Repository(files)})) as started:
        yield started


@pytest.fixture
def locking(site: Site, hub: FakeHub, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    site.models["tiny"]["source"] = f"{NAME}:tiny-q8.gguf"
    return site


def move(hub: FakeHub, model: Path) -> None:
    """`main` is another commit with another file."""
    repository = hub.repositories[NAME]
    repository.commit = LATER
    repository.files["tiny-q8.gguf"] = model.read_bytes() + b"\0" * 512


def test_the_locked_commit_is_what_is_brought_and_runs(
    locking: Site, hub: FakeHub, model: Path
) -> None:
    locked = locking.run("lock")
    assert (locked.code, "1 source locked" in locked.stdout) == (0, True), locked
    assert f"main is {COMMIT[:12]}" in locked.stdout
    hub.seen.clear()
    planned = locking.run("plan")
    assert planned.code == 0, planned
    assert f"commit {COMMIT[:12]}" in planned.stdout
    assert hub.seen == []  # the lock knows all that a plan needs
    locking.apply()
    again = locking.run("lock")
    assert "nothing moved" in again.stdout, again

    move(hub, model)
    locking.plan(0)  # what is there stays
    moved = locking.run("lock", "--update", "tiny")
    assert f"main moved from {COMMIT[:12]} to {LATER[:12]}" in moved.stdout, moved
    assert "~ tiny-q8.gguf" in moved.stdout
    locking.apply()
    assert _commit_that_runs(locking) == LATER

    back = locking.run("rollback", "-y")
    assert back.code == 0, back
    assert _commit_that_runs(locking) == COMMIT
    locking.plan(2)  # the lock has the later one
    drifted = locking.run("plan", "--drift", "--detailed-exitcode")
    assert drifted.code == 0, drifted


def test_files_that_others_brought_are_proved_before_a_start(
    locking: Site, model: Path, tmp_path: Path
) -> None:
    locking.run("lock")
    hub = tmp_path / "models/hf/hub/models--some--tiny-GGUF"
    placed = hub / "snapshots" / COMMIT / "tiny-q8.gguf"
    placed.parent.mkdir(parents=True)
    data = model.read_bytes()
    placed.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))  # as long, and one bit is another
    failed = locking.run("apply", "-y")
    assert failed.code == 1, failed
    assert "tiny-q8.gguf is not the locked file" in failed.said
    placed.write_bytes(data)
    applied = locking.run("apply", "-y")
    assert applied.code == 0, applied
    assert f"checking the SHA-256 of {placed}" in applied.stdout


def _commit_that_runs(site: Site) -> str:
    state = Path(site.env["XDG_STATE_HOME"]) / "xgen-deploy"
    (record,) = state.rglob("record.json")
    path: str = json.loads(record.read_text())["instances"]["tiny"]["spec"]["model_path"]
    return path.split("/snapshots/")[1].split("/")[0]
