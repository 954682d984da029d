import shutil
import subprocess
import sys

import pytest

from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.host import Host
from xgen_deploy.transport.command import NO_PYTHON, arguments, line
from xgen_deploy.transport.connect import connect
from xgen_deploy.transport.framing import STUB
from xgen_deploy.transport.options import Options

SHELLS = [shell for shell in ("sh", "bash", "dash", "fish", "tcsh", "csh") if shutil.which(shell)]


def run(shell: str, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which(shell), "-c", command],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": "/", **environment},
    )


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_runs_it_the_same_way(shell):
    command = line('print(1+1,"$HOME `id` ${x} ~ * %s"%"")', python=sys.executable, become="never")
    assert run(shell, command).stdout == "2 $HOME `id` ${x} ~ * \n"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_missing_interpreter_is_told(shell):
    done = run(shell, line("print(1)", python="/no/such/python3", become="never"))
    assert (done.returncode, done.stderr.strip()) == (127, f"{NO_PYTHON} /no/such/python3")


def test_a_host_without_python(tmp_path):
    for name in ("sh", "id"):
        (tmp_path / name).symlink_to(shutil.which(name))
    done = run("sh", line("print(1)", python=None, become="auto"), PATH=str(tmp_path))
    if "platform-python" in done.stdout + done.stderr:
        pytest.skip("this machine has a platform-python")
    assert (done.returncode, done.stderr.strip()) == (127, NO_PYTHON)


@pytest.mark.parametrize("odd", ["/opt/my python", "/opt/$(id)", "/opt/a;b", "/opt/it's"])
def test_an_odd_interpreter_path_is_never_a_command(odd):
    done = run("sh", line("print(1)", python=odd, become="never"))
    assert done.stderr.strip() == f"{NO_PYTHON} {odd}"
    assert done.stdout == ""


@pytest.mark.parametrize("code", ["print('x')", "a\nb", "a\\b", "a!b"])
def test_code_that_a_shell_might_touch_is_refused(code):
    with pytest.raises(ValueError, match="command line"):
        arguments(code, python=None, become="never")


def test_the_stub_is_such_code():
    assert STUB in arguments(STUB, python=None, become="ask")[-1]


def test_an_old_python_is_told(tmp_path):
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\necho "XGEN-OLD-PYTHON 3.6.8" >&2; exit 1\n')
    old.chmod(0o755)
    host = Host(name="here", connection="local", python=str(old), become=False)
    with pytest.raises(UnreachableError, match=r"here: its python3 is 3\.6\.8"):
        connect(host, Options()).observe(b"", b"", timeout=10)
