"""An engine build is tried out on its host before it gets its name."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from xgen_deploy.transfer.remote import engine_build
from xgen_deploy.transfer.remote.engine_build import Unusable, place_build

GOOD = "#!/bin/sh\necho version 1\n"


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory(prefix="xgen-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _brought(
    place: Path,
    program: str,
    *,
    serves: bool = False,
    path: str = "bin/engine",
    as_login: bool = False,
) -> Path:
    """What is there afterwards."""
    archive = place / "engine.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("bin/engine")
        entry.size, entry.mode = len(program), 0o755
        tar.addfile(entry, io.BytesIO(program.encode()))
    request = {
        "archive": str(archive),
        "sha256": "ab" * 32,
        "folder": str(place / "build"),
        "program": path,
        "serves_gguf": serves,
        "as_login": as_login,
    }
    place_build(request, lambda *_, **__: None)
    return place / "build"


def test_it_gets_its_name_with_a_list_of_its_files(place: Path) -> None:
    build = _brought(place, GOOD)
    status = (build / "bin/engine").stat()
    known = json.loads((place / "build.json").read_text())
    assert known == {
        "archive": "ab" * 32,
        "files": {"bin/engine": [status.st_size, status.st_mtime_ns, status.st_ino]},
    }
    assert _brought(place, GOOD) == build  # once more: it stays
    assert (build / "bin/engine").stat().st_ino == status.st_ino


@pytest.mark.parametrize(
    ("program", "serves", "told"),
    [
        ("#!/bin/sh\nkill -ILL $$\n", False, "lacks (SIGILL)"),
        ("#!/bin/sh\nkill -SEGV $$\n", False, "its `--version` fails: it ended by SIGSEGV"),
        ("#!/bin/sh\necho libx.so: cannot open >&2\nexit 127\n", False, "libx.so: cannot open"),
        ("\x7fELF no program", False, "another kind of processor"),
        ("#!/no/such/loader\n", False, "its program loader is not on this host"),
        ("#!/bin/sh\n[ $1 = --version ] || kill -ILL $$\n", True, "load trial.gguf: it uses"),
        ("#!/bin/sh\n[ $1 = --version ] || exit 3\n", True, "load trial.gguf: exit status 3"),
    ],
)
def test_one_that_does_not_run_there_gets_no_name(
    place: Path, program: str, serves: bool, told: str
) -> None:
    with pytest.raises(Unusable) as error:
        _brought(place, program, serves=serves)
    assert str(error.value).startswith("bin/engine of engine.tar.gz does not run here: ")
    assert told in str(error.value)
    assert {p.name for p in place.iterdir()} == {"engine.tar.gz", "build.lock"}


def test_it_is_told_which_programs_there_are(place: Path) -> None:
    with pytest.raises(Unusable, match=r"it has no bin/other; its programs are bin/engine"):
        _brought(place, GOOD, path="bin/other")


def test_a_cut_in_its_trial_leaves_nothing_once_the_next_one_went_on(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    transfer = os.fork()
    if transfer == 0:  # the trial kills who tries it
        try:
            _brought(place, "#!/bin/sh\nkill -9 $PPID\n", as_login=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(transfer, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert not (place / "build").exists()
    _brought(place, GOOD)
    assert {p.name for p in place.iterdir()} == {
        "engine.tar.gz", "build", "build.json", "build.lock"
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_not_left_full(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(archive: str, folder: str) -> None:
        (Path(folder) / "half").mkdir(parents=True)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(engine_build, "unpack", full)
    with pytest.raises(OSError, match="No space left"):
        _brought(place, GOOD)
    assert {p.name for p in place.iterdir()} == {"engine.tar.gz", "build.lock"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to drop")
def test_the_trial_has_no_rights(place: Path) -> None:
    program = "#!/bin/sh\n[ $(id -u) = 65534 ] || { echo I am $(id -u); exit 1; }\n"
    assert _brought(place, program).exists()
