"""An engine build goes with the archive that it came out of, and whatever is in the way leaves it
whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.call import Capsys
from xgen_deploy.transfer.remote import built, models, stock
from xgen_deploy.transfer.remote.prune import prune

CONTENT = "0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A build as the transfer leaves it, with what a cut left, and links out of it."""
    place = tmp_path / "models/xgen/engines" / CONTENT
    (place / "build/bin").mkdir(parents=True)
    (place / "build.draft/lib").mkdir(parents=True)
    (place / "build.draft/lib/half.so").write_text("half")
    program = place / "build/bin/engine"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    (place / "build/current").symlink_to("bin")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/precious").write_text("precious")
    (place / "build/out").symlink_to(tmp_path / "elsewhere")
    for name in ("build.json", "build.lock"):
        (place / name).write_text("{}")
    return place


def note(archive: Path, root: Path) -> dict[str, Any]:
    archive.write_bytes(b"tar")
    status = archive.stat()
    noted = {
        "place": str(archive), "size": 3, "mtime_ns": status.st_mtime_ns, "at": 1.0,
        "sha256": None, "sha1": None, "origin": archive.name,
    }  # fmt: skip
    notes = root / ".xgen/files"
    notes.mkdir(parents=True, exist_ok=True)
    (notes / f"{status.st_ino}.json").write_text(json.dumps(noted))
    return {"name": str(status.st_ino), "mtime_ns": status.st_mtime_ns, "at": 1.0}


def without_archive(folder: Path) -> dict[str, Any]:
    """As it is chosen, once somebody has removed the archive by hand."""
    root = folder.parents[2]
    (build,) = built.without_archive(str(root), stock.notes(str(root)))
    assert build.place == str(folder / "build")
    chosen = {"name": build.name, "mtime_ns": build.mtime_ns, "at": build.at}
    return {**chosen, "state": built.UNPACKED}


Told = list[tuple[str, str | None]]
Pruned = Callable[[], Told]


@pytest.fixture
def pruned(folder: Path) -> Pruned:
    root = folder.parents[2]
    chosen = note(folder / "llama.tar.gz", root)

    def run() -> Told:
        told: Told = []
        prune(str(root), [chosen], [], lambda kind, **more: told.append((kind, more.get("text"))))
        return told

    return run


def test_nothing_of_it_stays_and_no_link_is_followed(folder: Path, pruned: Pruned) -> None:
    assert pruned() == [("removed", None)]
    root = folder.parents[2]
    assert [p for p in root.rglob("*") if not p.is_dir()] == []
    assert not (root / "xgen").exists()
    assert (root.parent / "elsewhere/precious").read_text() == "precious"


def test_one_that_a_process_runs_stays(folder: Path, pruned: Pruned) -> None:
    with (folder / "build/bin/engine").open("rb"):
        assert pruned() == [("kept", "a process has it open")]
    assert (folder / "build/bin/engine").exists()


def test_one_that_is_being_unpacked_stays(folder: Path, pruned: Pruned) -> None:
    with (folder / "build.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ((kind, text),) = pruned()
    assert kind == "kept"
    assert text is not None
    assert text.startswith("it is being unpacked (")
    assert (folder / "build/bin/engine").exists()
    assert pruned() == [("removed", None)]


def test_what_cuts_it_leaves_no_half_of_a_build_under_its_name(
    folder: Path, pruned: Pruned, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(place: int, name: str) -> None:
        if name in os.listdir(place):
            raise OSError(5, "Input/output error")

    shutil.rmtree(folder / "build.draft")
    with monkeypatch.context() as patched:
        patched.setattr(built, "remove_tree", fails)
        assert [kind for kind, _ in pruned()] == ["kept"]
    assert not (folder / "build").exists()
    assert (folder / "llama.tar.gz").exists()
    assert pruned() == [("removed", None)]
    assert not folder.exists()


def test_a_note_in_a_build_takes_no_other_build_with_it(folder: Path) -> None:
    """Whoever may write to the folder may write notes."""
    root = folder.parents[2]
    inside = note(folder / "build/bin/lib.so", root)
    outside = note(folder.parent / "stray.tar.gz", root)
    prune(str(root), [inside, outside], [], lambda *_, **__: None)
    assert (folder / "build/bin/engine").exists()


@pytest.mark.parametrize("noted", [True, False])
def test_one_whose_archive_was_removed_by_hand_goes_too(folder: Path, *, noted: bool) -> None:
    root, archive = folder.parents[2], folder / "llama.tar.gz"
    if noted:
        note(archive, root)
        assert not list(built.without_archive(str(root), stock.notes(str(root))))
        archive.unlink()
    chosen, told = without_archive(folder), []
    with (folder / "build/bin/engine").open("rb"):
        prune(str(root), [chosen], [], lambda kind, **more: told.append((kind, more.get("text"))))
    other = {**chosen, "mtime_ns": 1}
    for each in (other, chosen):
        prune(str(root), [each], [], lambda kind, **more: told.append((kind, more.get("text"))))
    assert told == [
        ("kept", "a process has it open"),
        ("kept", "it was brought anew meanwhile"),
        ("removed", None),
    ]
    assert not (root / "xgen").exists()
    assert (root.parent / "elsewhere/precious").read_text() == "precious"


def test_it_is_told_with_what_its_archive_was(folder: Path, capsys: Capsys) -> None:
    root = folder.parents[2]
    note(folder / "llama.tar.gz", root)
    (folder / "llama.tar.gz").unlink()
    (folder / "build.json").write_text(json.dumps({"archive": "a" * 64, "files": {}}))
    models._look({"roots": [str(root)], "paths": []})
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    files = [line for line in lines if line["kind"] == "file" and line["state"] != "gone"]
    assert [(f["origin"], f["state"], f["sha256"]) for f in files] == [
        ("llama.tar.gz", "unpacked", "a" * 64)
    ]
