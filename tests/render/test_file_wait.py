"""An engine waits for its files at boot: the very command of its unit, run here."""

import shutil
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.render.mount_units import mount_units
from xgen_deploy.render.unit_commands import file_wait_argv


def test_files_that_come_late_are_awaited(tmp_path: Path) -> None:
    model, engine = tmp_path / "disk $(odd)/x.gguf", tmp_path / "engine"
    model.parent.mkdir()
    with subprocess.Popen(file_wait_argv([str(model), str(engine)])) as waiting:
        for file in (model, engine):
            assert waiting.poll() is None
            file.touch()
        assert waiting.wait(60) == 0


def test_a_mount_point_without_its_disk_is_not_there(tmp_path: Path) -> None:
    argv = file_wait_argv([str(tmp_path)], times=1)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, f"error: {tmp_path} is not there\n")
    (tmp_path / ".hidden").touch()
    assert subprocess.run(argv, check=False).returncode == 0


def test_the_mount_units_of_folders() -> None:
    assert mount_units(["/srv/models/", "/srv/hf", "/"]) == (
        "srv.mount",
        "srv-models.mount",
        "srv-hf.mount",
    )
    assert mount_units(["/" + "x" * 300]) == ()


@pytest.mark.skipif(shutil.which("systemd-escape") is None, reason="systemd-escape is not here")
@pytest.mark.parametrize("path", ["/srv/my-models", "/a b/.c", "/.d", "/ä%s/$x", "/x_y:z.w"])
def test_names_are_those_of_systemd(path: str) -> None:
    argv = ["systemd-escape", "--path", "--suffix=mount", path]
    name = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    assert mount_units([path])[-1] == name
