"""A state folder whose path is too long for the supervisor's socket is refused by the plan."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_plan_says_which_folder_and_what_to_do(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    code = "from xgen_deploy.cli.main import run; run()"
    argv = [sys.executable, "-c", code, "plan", "manifests/quickstart.yaml"]
    env = os.environ | {"XDG_STATE_HOME": str(folder), "HOME": str(tmp_path)}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1, said
    assert f"localhost: {folder}/xgen-deploy/" in said
    assert "is too long a path for the supervisor's socket" in said
    assert "Set XDG_STATE_HOME to a shorter path." in said
    assert "AF_UNIX" not in said
