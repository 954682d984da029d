"""Nothing outlives the tool on a host."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.transport.eventually import alive, eventually
from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport import remote
from xgen_deploy.transport.command import arguments
from xgen_deploy.transport.framing import STUB
from xgen_deploy.transport.launch import payload
from xgen_deploy.transport.program import remote_program

REMOTE = Path(remote.__file__).parent
SLEEPER = ["sh", "-c", "trap '' TERM; sleep 600 > /dev/null 2>&1 & echo $!"]


def test_what_was_started_ends_with_the_session(here):
    with here.session() as session:
        child = int(session.run(SLEEPER, timeout=20).stdout)
        assert alive(child)
    assert eventually(lambda: not alive(child))


def test_what_was_started_ends_when_the_tool_is_killed():
    script = f"""
from xgen_deploy.state.host import Host
from xgen_deploy.transport.connect import connect
from xgen_deploy.transport.options import Options
session = connect(Host(name="here", connection="local", become=False), Options()).session()
print(session.run({SLEEPER!r}, timeout=20).stdout, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as tool:
        child = int(tool.stdout.readline())
        assert alive(child)
        tool.kill()
    assert eventually(lambda: not alive(child))


def test_the_agent_ends_in_silence():
    """With its input still open, as behind a dead network."""
    program = remote_program("agent").replace(b"SILENCE = 25.0", b"SILENCE = 0.5")
    assert program != remote_program("agent")
    argv = arguments(STUB, python=sys.executable, become="never")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as agent:
        request = b'{"id": 1, "op": "run", "argv": ["sleep", "600"], "timeout": 900, "stdin": "",'
        agent.stdin.write(payload(program) + request + b' "env": {}}\n')
        agent.stdin.flush()
        assert agent.stdout.readline() == b"XGEN-READY 1\n"
        assert agent.wait(120) == 0
        assert not agent.stdin.closed


def test_a_killed_agent_is_noticed(session):
    agent = session.run(["sh", "-c", "echo $PPID"], timeout=20).stdout
    os.kill(int(agent), signal.SIGKILL)
    with pytest.raises(UnreachableError, match=r"here: .*the program there ended"):
        session.run(["sleep", "600"], timeout=600)


@pytest.mark.parametrize("path", sorted(REMOTE.glob("*.py")), ids=lambda path: path.stem)
def test_what_runs_there_is_written_in_python_3_8(path):
    ast.parse(path.read_text(), feature_version=(3, 8))
