"""What is sent to hosts with the exporter runs on their older Pythons, from one source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from xgen_deploy.watch import metrics, relayed, remote
from xgen_deploy.watch.program import exporter_program

SOURCES = sorted(Path(remote.__file__).parent.glob("*.py"))
SENT = [*SOURCES, Path(metrics.__file__), Path(relayed.__file__)]
# The credentials of a unit together are at most 1 MB (systemd.exec(5)), and keys are among them.
MOST = 600_000


@pytest.mark.parametrize("path", SENT, ids=lambda path: path.stem)
def test_it_is_python_3_8(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    newer = {"removeprefix", "removesuffix", "is_relative_to"}
    assert not newer & {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert path.stem == "__init__" or "from __future__ import annotations" in path.read_text()


def test_it_is_one_program_that_says_how_it_is_run(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text(exporter_program())
    words = [sys.executable, "-I", "-S", str(program)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "usage: exporter.py exporter, or exporter.py facts SETTINGS\n"
    assert len(exporter_program()) < MOST
