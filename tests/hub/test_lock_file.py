"""The command `lock`, its file, and what the other commands make of it; no host is needed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

from tests.cli.call import Capsys, call
from tests.hub.fake_hub import COMMIT, FakeHub, Repository, git_blob, serving, sha256
from tests.lab import tiny_model
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.load import load_site
from xgen_deploy.state.site import Site
from xgen_deploy.transfer.remote import web_source
from xgen_deploy.transfer.remote.web_source import Unavailable

NAME = "some/tiny-GGUF"
OTHER = "some/folder"
LATER = "d" * 40
README = b"# tiny"


@dataclass
class Locking:
    """A manifest whose `tiny` is served by this machine, and the hub that it comes from."""

    folder: Path
    hub: FakeHub
    capsys: Capsys
    model: dict[str, Any]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def lock(self) -> Path:
        return self.folder / "site.lock.yaml"

    def run(self, command: str, *words: str) -> tuple[int, str]:
        host = {"ansible_connection": "local", "xgen_model_dir": str(self.folder / "models")}
        values = {
            "project": "t_lock",
            "runtime": "process",
            "inventory": {"all": {"hosts": {"here": host}}},
            "binaries": {"llama": "/bin/true"},
            "fetch": {"endpoint": self.hub.url},
            "models": {"tiny": self.model, **self.more},
            "hosts": {"here": [{"model": m, "gpus": []} for m in ("tiny", *self.more)]},
        }
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(values))
        return call(self.capsys, command, str(path), *words)

    def locked(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = yaml.safe_load(self.lock.read_text())["models"]
        return models


@pytest.fixture
def weights(tmp_path: Path) -> bytes:
    path = tmp_path / "made.gguf"
    tiny_model.write(path)
    return path.read_bytes()


@pytest.fixture
def locking(
    tmp_path: Path, weights: bytes, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Locking]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = {
        "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}).encode(),
        "model.safetensors": b"\2" * 5000,
        "pytorch_model.bin": b"\3" * 5000,
    }
    repositories = {
        NAME: Repository({"tiny-q8.gguf": weights, "README.md": README}),
        OTHER: Repository(folder, license="mit"),
    }
    with serving(FakeHub(repositories)) as hub:
        yield Locking(tmp_path, hub, capsys, {"source": f"{NAME}:tiny-q8.gguf"})


def _nowhere(host: str, *_: object, **__: object) -> NoReturn:
    """This machine reaches nothing; what runs as on a host is another process."""
    raise Unavailable(f"{host}: Network is unreachable")


def test_a_hub_that_only_a_host_reaches_is_asked_by_way_of_it(
    locking: Locking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_source, "connected", _nowhere)
    code, said = locking.run("lock")
    assert code == 0, said
    assert "trusted on first use: it came by way of a host, without TLS" in said
    (entry,) = locking.locked()
    assert (entry["commit"], entry["trusted"]) == (COMMIT, True)
    weights = locking.hub.repositories[NAME].files["tiny-q8.gguf"]
    assert entry["files"][0]["sha256"] == sha256(weights)
    code, said = locking.run("lock", "--json")
    assert json.loads(said)["sources"][0]["trusted"] is True


def test_what_this_machine_sees_itself_takes_the_place_of_a_host_s_word(
    locking: Locking, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(web_source, "connected", _nowhere)
        assert locking.run("lock")[0] == 0
    code, said = locking.run("lock", "--update", "tiny")
    assert (code, "is still what it was" in said) == (0, True), said
    assert "trusted" not in locking.locked()[0]


def test_all_that_a_source_is_stands_in_the_file(locking: Locking, weights: bytes) -> None:
    locking.more["big"] = {"source": OTHER}
    code, said = locking.run("lock")
    assert (code, "2 sources locked" in said) == (0, True), said
    big, tiny = locking.locked()
    assert (tiny["commit"], tiny["license"]) == (COMMIT, "apache-2.0")
    expected = {"path": "tiny-q8.gguf", "size": len(weights), "sha256": sha256(weights)}
    assert tiny["files"] == [expected]
    small, large = big["files"]
    assert small["sha1"] == git_blob(locking.hub.repositories[OTHER].files["config.json"])
    assert (large["path"], big["license"]) == ("model.safetensors", "mit")
    assert big["left_out"] == ["pytorch_model.bin"]
    assert locking.hub.url not in locking.lock.read_text()  # another mirror takes it too


def test_what_is_locked_stays(locking: Locking, weights: bytes) -> None:
    locking.run("lock")
    before = locking.lock.read_bytes()
    locking.hub.repositories[NAME].commit = LATER
    locking.hub.seen.clear()
    code, said = locking.run("lock")
    assert (code, "1 source, nothing moved" in said) == (0, True), said
    assert (locking.lock.read_bytes(), locking.hub.seen) == (before, [])

    locking.more["big"] = {"source": OTHER}
    code, said = locking.run("lock", "--json")
    changes = {s["models"][0]: s["change"] for s in json.loads(said)["sources"]}
    assert changes == {"tiny": "kept", "big": "added"}
    assert locking.locked()[1]["commit"] == COMMIT


def test_an_update_says_what_moved(locking: Locking, weights: bytes) -> None:
    locking.run("lock")
    code, said = locking.run("lock", "--update", "tiny")
    assert "is still what it was" in said
    repository = locking.hub.repositories[NAME]
    repository.commit, repository.license = LATER, "other"
    repository.files["tiny-q8.gguf"] = weights + b"\0" * 64
    code, said = locking.run("lock", "--update", "tiny")
    assert code == 0, said
    assert f"main moved from {COMMIT[:12]} to {LATER[:12]}" in said
    assert "~ tiny-q8.gguf" in said
    assert "its licence was apache-2.0 and is other" in said
    assert locking.locked()[0]["commit"] == LATER
    code, said = locking.run("lock", "--update", "tinny")
    assert (code, "Did you mean `tiny`?" in said) == (1, True), said


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "source": ({"source": OTHER}, f"of tiny it has {NAME}:tiny-q8.gguf (main)"),
    "revision": ({"revision": "v2"}, f"does not have {NAME}:tiny-q8.gguf (v2)"),
    "files": ({"fetch": {"files": ["*"]}}, "was written for other files"),
    "sha256": ({"sha256": "a" * 64}, "has another SHA-256"),
}


@pytest.mark.parametrize("change", UNFIT)
def test_a_lock_that_does_not_fit_is_refused(locking: Locking, change: str) -> None:
    locking.run("lock")
    assert locking.run("validate")[0] == 0
    fields, reason = UNFIT[change]
    locking.model.update(fields)
    for command in ("validate", "plan"):
        code, said = locking.run(command)
        assert (code, reason in said) == (1, True), said
        assert f"`xgen-deploy lock {locking.folder / 'site.yaml'}`" in said
    if change == "source":
        code, said = locking.run("lock")
        assert code == 0, said
        assert "is no longer in the manifest" in said
        assert locking.run("validate")[0] == 0


BROKEN = {
    "no lock": ("models: []\n", "this is no lock file"),
    "newer": ("xgen_lock: 9\nmodels: []\n", "a newer xgen-deploy wrote it"),
    "half merged": ("<<<<<<< HEAD\nxgen_lock: 1\n", "site.lock.yaml:"),
    "path": ("xgen_lock: 1\nmodels: [{path: 1}]\n", "site.lock.yaml:2:"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_lock_is_an_error_with_its_place(locking: Locking, case: str) -> None:
    text, reason = BROKEN[case]
    locking.lock.write_text(text)
    code, said = locking.run("validate")
    assert (code, reason in said) == (1, True), said


def test_a_file_name_that_leaves_its_folder_is_refused(locking: Locking) -> None:
    locking.run("lock")
    text = locking.lock.read_text().replace("path: tiny-q8.gguf", "path: ../../etc/tiny-q8.gguf")
    locking.lock.write_text(text)
    code, said = locking.run("plan")
    assert (code, "is no name of a file beneath a folder" in said) == (1, True), said


def test_a_plan_does_not_ask_the_hub(locking: Locking) -> None:
    locking.run("lock")
    locking.hub.seen.clear()
    _, said = locking.run("plan", "--json")
    assert locking.hub.seen == []
    assert "cannot be asked" not in said


def test_a_saved_plan_knows_it(locking: Locking) -> None:
    locking.run("lock")
    path = str(locking.folder / "site.yaml")
    site = load_site(path, engine_words())
    assert Site.model_validate_json(site.model_dump_json(exclude_none=True)) == site
    locking.lock.write_text(locking.lock.read_text() + "\n# edited\n")
    assert load_site(path, engine_words()).manifest_digest != site.manifest_digest


def test_a_hub_that_does_not_answer_leaves_everything_as_it_was(locking: Locking) -> None:
    locking.run("lock")
    before = locking.lock.read_bytes()
    del locking.hub.repositories[NAME]
    code, said = locking.run("lock", "--update", "tiny")
    assert (code, "cannot be locked" in said, "Nothing was written" in said) == (1, True, True)
    assert locking.lock.read_bytes() == before


def test_a_file_of_this_machine_has_to_be_the_locked_one(locking: Locking, weights: bytes) -> None:
    own = locking.folder / "own.gguf"
    own.write_bytes(weights)
    locking.model["source"] = {"local": "own.gguf"}
    code, said = locking.run("lock")
    assert (code, "tiny (own.gguf)" in said) == (0, True), said
    assert str(locking.folder) not in locking.lock.read_text()
    own.write_bytes(weights + b"\0")
    code, said = locking.run("plan")
    assert (code, "own.gguf is another file than the locked one" in said) == (1, True), said
    code, said = locking.run("lock", "--update", "tiny")
    assert (code, "has other files than before" in said) == (0, True), said
    assert "another file" not in locking.run("plan")[1]


def test_other_bytes_on_the_host_are_refused(locking: Locking, weights: bytes) -> None:
    locking.run("lock")
    hub = locking.folder / "models/hf/hub/models--some--tiny-GGUF"
    there = hub / "snapshots" / COMMIT / "tiny-q8.gguf"
    there.parent.mkdir(parents=True)
    there.write_bytes(weights + b"\0" * 32)
    code, said = locking.run("plan")
    assert (code, "is not what site.lock.yaml says" in said) == (1, True), said
    assert f"it has {len(weights) + 32} bytes, and the lock {len(weights)}" in said


def test_a_limit_locks_a_part(locking: Locking) -> None:
    locking.more["big"] = {"source": OTHER}
    code, said = locking.run("lock", "--limit", "tiny")
    assert code == 0, said
    assert [m["models"] for m in locking.locked()] == [["tiny"]]
    locking.run("lock", "--limit", "big")
    assert [m["models"] for m in locking.locked()] == [["big"], ["tiny"]]


def test_it_waits_for_no_hub_where_nobody_is_to_bring_it(locking: Locking) -> None:
    locking.model["fetch"] = "never"
    code, said = locking.run("lock")
    assert (code, "nothing is locked" in said) == (0, True), said
    assert locking.run("validate")[0] == 0
