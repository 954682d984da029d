"""An engine build comes in an archive of this machine."""

from __future__ import annotations

import json
import shutil
import tarfile
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab.site import Site

NAME = "llama-b1.tar.gz"


def _pack(binary: str, archive: Path) -> Path:
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(Path(binary).parent, "llama-b1")
    return archive


@pytest.fixture
def bringing(site: Site, binary: str, tmp_path: Path) -> Site:
    tmp_path.chmod(0o755)
    _pack(binary, tmp_path / NAME)
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["binaries"] = {"llama": {"archive": NAME, "path": "llama-b1/llama-server"}}
    return site


def _builds(folder: Path) -> list[Path]:
    return sorted((folder / "models/xgen/engines").glob("*/build/llama-b1/llama-server"))


def test_it_is_brought_tried_and_serves(bringing: Site, tmp_path: Path) -> None:
    planned = bringing.run("plan")
    assert planned.code == 0, planned
    assert f"> fetch   {NAME}" in planned.stdout
    assert "unpacked and tried out there before it is used" in planned.stdout
    assert not _builds(tmp_path)
    applied = bringing.run("apply", "-y")
    assert applied.code == 0, applied
    assert f"{NAME} is there" in applied.stdout
    assert applied.stdout.count("+ create") == 1  # the plan that was shown is the one carried out
    again = bringing.run("apply", "-y")
    assert (again.code, "nothing to do" in again.stdout) == (0, True), again
    (build,) = _builds(tmp_path)
    status = bringing.run("status", "--json").json()
    assert [m["status"] for m in status["models"]] == ["running"]
    (archive,) = bringing.run("models", "--json").json()["hosts"]["here"]["models"]
    assert archive["used_by"] == ["tiny", "the manifest", "apply #1"]
    _another_build_leaves_the_first_for_a_rollback(bringing, build, tmp_path)


def _another_build_leaves_the_first_for_a_rollback(site: Site, build: Path, folder: Path) -> None:
    with tarfile.open(folder / NAME, "w:gz", compresslevel=2) as tar:
        tar.add(build.parent, "llama-b1")
    changed = site.run("plan", "--json").json()["hosts"]["here"]["operations"]
    assert [o["action"] for o in changed] == ["update"]
    assert "binary" in json.dumps(changed)
    updated = site.run("apply", "-y")
    assert updated.code == 0, updated
    assert len(_builds(folder)) == 2
    back = site.run("rollback", "-y")
    assert back.code == 0, back
    assert "fetch" not in back.stdout
    assert str(build) in _command_lines()
    _what_nothing_needs_is_pruned(site, build, folder)


def _what_nothing_needs_is_pruned(site: Site, build: Path, folder: Path) -> None:
    """One that was only fetched goes at once, one of an earlier apply with `--all-history`."""
    with tarfile.open(folder / NAME, "w:gz", compresslevel=3) as tar:
        tar.add(build.parent, "llama-b1")
    assert site.run("fetch").code == 0
    assert len(_builds(folder)) == 3
    (first,) = build.parents[2].glob("*.tar.gz")
    shutil.copy(first, folder / NAME)
    assert _last_users(site) == {"apply #3", "apply #2", ""}
    pruned = site.run_on(site.write(), "models prune", "-y")
    assert (pruned.code, "what was unpacked out of it" in pruned.stdout) == (0, True), pruned
    assert _last_users(site) == {"apply #3", "apply #2"}
    assert len(_builds(folder)) == 2
    for archive in {*build.parents[3].glob("*/*.tar.gz")} - {*build.parents[2].glob("*.tar.gz")}:
        archive.unlink()
    assert _last_users(site) == {"apply #3", "apply #2"}
    pruned = site.run_on(site.write(), "models prune", "-y", "--all-history")
    assert (pruned.code, "unpacked out of an archive that is gone" in pruned.stdout) == (0, True)
    assert _builds(folder) == [build]
    assert [p.parent for p in build.parents[3].glob("*/*.tar.gz")] == [build.parents[2]]
    assert "nothing to do" in site.run("apply", "-y").stdout


def _last_users(site: Site) -> set[str]:
    rows = site.run("models", "--json").json()["hosts"]["here"]["models"]
    return {"".join(row["used_by"][-1:]) for row in rows}


def _command_lines() -> str:
    lines = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            lines.append(entry.read_text(errors="replace").replace("\0", " "))
    return "\n".join(lines)


def test_one_that_does_not_run_here_stops_nothing(
    bringing: Site, binary: str, model: Path, tmp_path: Path
) -> None:
    """It ends as an engine does whose instructions the processor lacks."""
    archive = bringing.top["binaries"]
    bringing.top["binaries"] = {"llama": binary}
    assert bringing.run("apply", "-y").code == 0
    broken = tmp_path / "llama-b1/llama-server"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\n[ $1 = --version ] || kill -ILL $$\n")
    broken.chmod(0o755)
    _pack(str(broken), tmp_path / NAME)
    bringing.top["binaries"] = archive
    applied = bringing.run("apply", "-y")
    assert applied.code == 1, applied
    assert "does not load trial.gguf: it uses instructions" in applied.said
    assert not _builds(tmp_path)
    status = bringing.run("status", "--json").json()
    assert [m["status"] for m in status["models"]] == ["running"]


def test_what_runs_needs_no_file_that_it_came_from(
    bringing: Site, model: Path, tmp_path: Path
) -> None:
    """A colleague's machine has the repository, but neither the archive nor the model."""
    own = tmp_path / "own.gguf"
    own.write_bytes(model.read_bytes())
    bringing.models["tiny"]["source"] = {"local": str(own)}
    bringing.apply()
    own.unlink()
    (tmp_path / NAME).unlink()
    (row,) = bringing.run("status", "--json").json()["models"]
    assert (row["status"], row["warnings"]) == ("running", [])
    words = {"logs": "-n 1", "history": "", "gpus": "", "stop": "-y", "start": "-y"}
    for command, options in words.items():
        ran = bringing.run(command, *options.split())
        assert ran.code == 0, (command, ran)
    refused = bringing.run("plan")
    assert (refused.code, "own.gguf is not there" in refused.said) == (1, True), refused
    destroyed = bringing.run("destroy", "-y")
    assert (destroyed.code, "remove" in destroyed.stdout) == (0, True), destroyed
