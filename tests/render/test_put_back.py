"""The script that puts an instance's previous version back, run as it is written."""

import subprocess
from pathlib import Path

import pytest

from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.put_back import STOPPED_BEFORE
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.layout import process_layout


def put_back(
    folder: Path,
    definition: str,
    settings: str,
    *first: str,
    phase: str = "",
    start: str = "true",
) -> subprocess.CompletedProcess[str]:
    layout = process_layout("p", str(folder))
    previous = Path(layout.previous("q"))
    (previous / "settings").mkdir(parents=True)
    (previous / "settings" / "env").write_text("old")
    (previous / "definition").write_text("old")
    (previous / "armed").write_text(phase)
    for made in (layout.definitions, layout.settings("q")):
        Path(made).mkdir(parents=True)
    script = Rendering(layout, Templates(read_templates())).put_back()
    argv = ["sh", "-c", script, "sh", *first, str(previous), definition, settings, *start.split()]
    return subprocess.run(argv, text=True, capture_output=True, check=False)


def test_the_previous_version_is_put_back(tmp_path: Path) -> None:
    layout = process_layout("p", str(tmp_path))
    done = put_back(tmp_path, layout.definition("q"), layout.settings("q"))
    assert done.returncode == 0, done.stderr
    assert Path(layout.settings("q"), "env").read_text() == "old"
    assert Path(layout.definition("q")).read_text() == "old"
    assert not Path(layout.previous("q"), "armed").exists()


def test_where_nothing_was_stopped_yet_what_serves_is_left_alone(tmp_path: Path) -> None:
    layout = process_layout("p", str(tmp_path))
    Path(layout.next_settings("q")).mkdir(parents=True)
    done = put_back(tmp_path, layout.definition("q"), layout.settings("q"), phase="files")
    assert done.returncode == 0, done.stderr
    assert not list(Path(layout.settings("q")).iterdir())
    assert not Path(layout.definition("q")).exists()
    assert not Path(layout.next_settings("q")).exists()
    assert not Path(layout.previous("q"), "armed").exists()


def test_at_a_boot_it_starts_nothing_itself(tmp_path: Path) -> None:
    layout = process_layout("p", str(tmp_path))
    started = tmp_path / "started"
    script = ("put-back.sh", layout.previous("q"), layout.definition("q"), layout.settings("q"))
    unit = Rendering(layout, Templates(read_templates())).put_back_unit("q", script)
    assert "Before=xgen-p-q.service" in unit.splitlines()
    assert f"ConditionPathExists={layout.previous('q')}/armed" in unit.splitlines()
    assert f"sh put-back.sh --boot {layout.previous('q')}" in unit
    done = put_back(
        tmp_path, layout.definition("q"), layout.settings("q"), "--boot", start=f"touch {started}"
    )
    assert done.returncode == 0, done.stderr
    assert Path(layout.definition("q")).read_text() == "old"
    assert not started.exists()


@pytest.mark.parametrize("boot", [(), ("--boot",)])
@pytest.mark.parametrize(("stopped_before", "verb"), [(False, "enable"), (True, "disable")])
def test_one_that_was_stopped_on_purpose_stays_so_at_boot(
    boot: tuple[str, ...],
    stopped_before: bool,
    verb: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layout = process_layout("p", str(tmp_path))
    systemctl = tmp_path / "bin" / "systemctl"
    systemctl.parent.mkdir()
    systemctl.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/ran\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(systemctl.parent), prepend=":")
    if stopped_before:
        Path(layout.previous("q")).mkdir(parents=True)
        Path(layout.previous("q"), STOPPED_BEFORE).touch()
    unit = f"{layout.definitions}/xgen-p-q.service"
    done = put_back(tmp_path, unit, layout.settings("q"), *boot, start="systemctl last")
    assert done.returncode == 0, done.stderr
    ran = (tmp_path / "ran").read_text().split()
    assert ran == [verb, "daemon-reload", "reset-failed", *([] if boot else ["last"])]


@pytest.mark.parametrize(
    "path", ["{etc}/..", "{etc}/.", "{etc}/", "{etc}/../../victim", "{victim}"]
)
def test_nothing_outside_the_projects_folders_is_touched(tmp_path: Path, path: str) -> None:
    layout = process_layout("p", str(tmp_path))
    victim = tmp_path / "victim"
    victim.mkdir()
    settings = path.format(etc=layout.etc_dir, victim=victim)
    done = put_back(tmp_path, layout.definition("q"), settings)
    assert done.returncode != 0
    assert "nothing was put back" in done.stderr
    assert victim.is_dir()
    assert Path(layout.settings("q")).is_dir()


def test_a_link_on_the_way_leads_nowhere(tmp_path: Path) -> None:
    layout = process_layout("p", str(tmp_path))
    victim = tmp_path / "victim"
    (victim / "q").mkdir(parents=True)
    Path(layout.etc_dir).mkdir(parents=True)
    (Path(layout.etc_dir) / "link").symlink_to(victim)
    done = put_back(tmp_path, layout.definition("q"), f"{layout.etc_dir}/link/q")
    assert done.returncode != 0
    assert (victim / "q").is_dir()


def test_a_copy_that_fails_leaves_the_settings_that_are_there(tmp_path: Path) -> None:
    layout = process_layout("p", str(tmp_path))
    settings = Path(layout.settings("q"))
    settings.mkdir(parents=True)
    (settings / "env").write_text("there")
    script = Rendering(layout, Templates(read_templates())).put_back()
    previous = Path(layout.previous("q"))
    (previous / "settings").mkdir(parents=True)  # and no definition, in place of a full disk
    (previous / "armed").write_text("stopped")
    Path(layout.definitions).mkdir(parents=True)
    argv = ["sh", "-c", script, "sh", str(previous), layout.definition("q"), str(settings), "true"]
    assert subprocess.run(argv, capture_output=True, check=False).returncode != 0
    assert (settings / "env").read_text() == "there"
    assert (previous / "armed").exists()
