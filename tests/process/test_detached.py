"""`fetch --detach`: the host goes on when nobody is connected any more."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab.site import Site
from tests.transport.eventually import eventually

NAME = "some/tiny-GGUF"
FILE = "tiny-q8.gguf"
BLOCK = 1 << 14
MODEL = f"{NAME}:{FILE}"


class Gate:
    """What the hub sends comes to a halt in the last block, until it is opened; who reads the
    header is gone by then."""

    def __init__(self, size: int) -> None:
        self.at = size - BLOCK
        self.open, self.reached = threading.Event(), threading.Event()

    def __call__(self, path: str, start: int) -> None:
        if path.endswith(FILE) and start >= self.at:
            self.reached.set()
            self.open.wait(60)


@pytest.fixture
def content(model: Path) -> bytes:
    return model.read_bytes() + bytes(24 << 20)


@pytest.fixture
def gate(content: bytes) -> Iterator[Gate]:
    gate = Gate(len(content))
    yield gate
    gate.open.set()


@pytest.fixture
def hub(content: bytes, gate: Gate) -> Iterator[FakeHub]:
    files = {FILE: content}
    with serving(FakeHub({NAME: Repository(files)}, before=gate)) as started:
        yield started


@pytest.fixture
def fetching(site: Site, hub: FakeHub, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    site.models["tiny"]["source"] = MODEL
    return site


@pytest.fixture
def begun(fetching: Site, gate: Gate) -> Site:
    """Under way, with the command that began it at its end."""
    started = fetching.run("fetch", "--detach")
    assert started.code == 0, started
    assert f"goes on by itself: {MODEL}" in started.stdout
    assert gate.reached.wait(60)
    return fetching


def _job(site: Site) -> dict[str, Any]:
    ran = site.run("status", "--json")
    fetching = ran.json()["hosts"]["here"]["fetching"]
    assert fetching["alive"], ran
    (job,) = fetching["jobs"]
    return dict(job)


def test_it_goes_on_and_is_waited_for(
    begun: Site, gate: Gate, content: bytes, tmp_path: Path
) -> None:
    assert eventually(lambda: 0 < _job(begun)["came"] < len(content))
    shown = begun.run("status").stdout
    assert f"here  fetching {MODEL}  " in shown
    twice = begun.run("fetch", "--detach")
    assert (twice.code, "a fetch goes on there already" in twice.stdout) == (1, True), twice
    waiting = begun.start("fetch", "--wait")
    assert waiting.stdout is not None
    said = waiting.stdout.readline()
    assert f"here  {MODEL}: 26.0 MiB of 26.1 MiB" in said
    gate.open.set()
    said = waiting.stdout.read()
    assert waiting.wait(60) == 0, said
    assert f"{MODEL} is there" in said
    assert "fetch: 1 done, all good" in said
    (placed,) = (tmp_path / "models/hf/hub").rglob(FILE)
    assert placed.read_bytes() == content
    assert "fetching" not in begun.run("status").stdout
    again = begun.run("fetch", "--wait")
    assert (again.code, "nothing to fetch" in again.stdout) == (0, True), again
    begun.apply()


def _ended(folder: Path) -> bool:
    """Whether nobody is at the part that lies there."""
    (part,) = folder.rglob("*.xgen-part")
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_it_is_called_off(begun: Site, gate: Gate, tmp_path: Path) -> None:
    assert not _ended(tmp_path / "models")
    ended = begun.run("fetch", "--cancel")
    assert (ended.code, "called off" in ended.stdout) == (0, True), ended
    assert eventually(lambda: _ended(tmp_path / "models"))
    assert "no fetch goes on there" in begun.run("fetch", "--cancel").stdout
    gate.open.set()
    waited = begun.run("fetch", "--wait")
    assert (waited.code, "nothing goes on there" in waited.stdout) == (1, True), waited
    assert not list((tmp_path / "models/hf/hub").rglob(FILE))
    assert begun.run("fetch").code == 0


def test_destroy_ends_it(begun: Site, state: Path, tmp_path: Path) -> None:
    destroyed = begun.run("destroy", "-y")
    assert destroyed.code == 0, destroyed
    assert not list(state.rglob("fetching.json"))
    assert eventually(lambda: _ended(tmp_path / "models"))


def test_one_that_failed_is_told(fetching: Site, hub: FakeHub, gate: Gate, content: bytes) -> None:
    gate.open.set()
    hub.wrong[FILE] = content[:-1] + b"x"
    assert fetching.run("fetch", "--detach").code == 0
    waited = fetching.run("fetch", "--wait", "--json")
    *_, end = waited.stdout.splitlines()
    assert (waited.code, '"failed":1' in end) == (1, True), waited
    assert "its SHA-256 is" in waited.stdout


def test_what_only_this_machine_has_is_not_begun(fetching: Site) -> None:
    fetching.models["tiny"]["fetch"] = "push"
    refused = fetching.run("fetch", "--detach")
    assert refused.code == 1
    assert f"nothing was begun: {MODEL} goes from this machine to here" in refused.stderr
    assert fetching.run("status", "--json").json()["hosts"]["here"]["fetching"] is None


def test_one_of_the_three(fetching: Site) -> None:
    refused = fetching.run("fetch", "--detach", "--wait")
    assert (refused.code, "exclude each other" in refused.stderr) == (1, True)
