"""One command line and one input for every host: the host decides which probe runs."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probe.running import request
from tests.probe_sh.running import as_sent
from xgen_deploy.errors import UnreachableError
from xgen_deploy.probe.observe import read_document
from xgen_deploy.probe.sh.program import sh_program
from xgen_deploy.transport.command import NO_PYTHON, arguments
from xgen_deploy.transport.framing import STUB, decode, encode


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """What a host without Python has at least."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "id", "gzip"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return folder


def test_without_python(tmp_path: Path, path: Path) -> None:
    found = as_sent(request(tmp_path), path)
    assert (found.probe, found.python) == ("sh", None)
    assert found.errors["python"] == "no python3 was found"


def test_where_the_named_python_is_missing(tmp_path: Path, path: Path) -> None:
    found = as_sent(request(tmp_path), path, "/opt/py's/python3")
    assert found.errors["python"] == "/opt/py's/python3 was not found"


EDITS = {
    "lacks the module j_on": (b"'json'", b"'j_on'"),
    "3.8 or newer is required": (b"OLDEST = (3", b"OLDEST = (9"),
}


@pytest.mark.parametrize("reason", EDITS)
def test_where_python_cannot_run_the_probe(tmp_path: Path, path: Path, reason: str) -> None:
    found = as_sent(request(tmp_path), path, sys.executable, EDITS[reason])
    assert (found.probe, found.python) == ("sh", sys.version.split()[0])
    assert reason in found.errors["python"]


def test_where_python_is_complete_it_runs() -> None:
    sent = encode(b"emit(REQUEST)", b"asked", b"not gzip")
    argv = arguments(STUB, python=sys.executable, become="never")
    assert decode(subprocess.run(argv, input=sent, capture_output=True).stdout) == b"asked"


def test_a_session_needs_python(path: Path) -> None:
    argv = arguments(STUB, python=None, become="never")
    sent = b"XGEN-PROBE 1\n4\npass"
    done = subprocess.run(argv, input=sent, capture_output=True, env={"PATH": str(path)})
    assert (done.returncode, done.stderr.decode().strip()) == (127, NO_PYTHON)


def test_a_host_that_lacks_a_tool_too(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="its shell lacks `awk`") as refused:
        read_document("here", b'{"error":"sh-incomplete","missing":"awk"}')
    assert "apt-get install python3" in str(refused.value)


def test_the_program_is_small(tmp_path: Path) -> None:
    """It goes to every host, also to those that do not need it."""
    assert len(sh_program(request(tmp_path))) < 8_000
