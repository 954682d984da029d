"""The pause before a unit is started again: the very commands of its unit, run here beside a
systemd that is only said to be there."""

import os
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.render.unit_commands import pause_argvs, pauses_itself

GOOD_RUN = 600_000_000


def _paused(folder: Path, *, restarts: int, job: str = "", ran: int = 1_000_000) -> int:
    """Seconds that the commands slept: what they were asked to, a second each."""
    values = {
        "NRestarts": str(restarts),
        "ExecMainStartTimestampMonotonic": "5000",
        "ExecMainExitTimestampMonotonic": str(5000 + ran),
        "Job": job,
    }
    cases = "".join(f"*{name}*) echo {value};;" for name, value in values.items())
    for name, text in {
        "systemctl": f'case "$*" in {cases} esac',
        "sleep": f'echo "$1" >> {folder}/slept',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}"}
    for argv in pause_argvs("xgen-p-q.service"):
        subprocess.run(argv, env=env, check=True, timeout=30)
    slept = folder / "slept"
    return sum(map(int, slept.read_text().split())) if slept.exists() else 0


@pytest.mark.parametrize(
    ("restarts", "pause"), [(0, 5), (1, 10), (2, 20), (3, 40), (4, 60), (500, 60)]
)
def test_the_pause_grows_to_a_minute(tmp_path: Path, restarts: int, pause: int) -> None:
    assert 5 + _paused(tmp_path, restarts=restarts) == pause


def test_whoever_stops_or_starts_it_by_hand_does_not_wait(tmp_path: Path) -> None:
    assert _paused(tmp_path, restarts=9, job="1234") == 0


def test_an_end_after_a_good_run_is_no_reason_to_wait(tmp_path: Path) -> None:
    assert _paused(tmp_path, restarts=9, ran=GOOD_RUN) == 0


@pytest.mark.parametrize(("version", "itself"), [(None, False), (249, False), (252, False)])
def test_an_older_systemd_needs_the_commands(version: int | None, itself: bool) -> None:
    assert pauses_itself(version) is itself
    assert pauses_itself(254)
