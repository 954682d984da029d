"""Run the shell probe as a host without Python would: the whole command line, and its input."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.probe.facts import HostFacts, ProbeRequest
from xgen_deploy.probe.framing import STUB, decode, encode
from xgen_deploy.probe.observe import read_document
from xgen_deploy.probe.sh.program import sh_program
from xgen_deploy.transport.command import arguments

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


def needs(shell: str) -> list[str]:
    """The shell's argv; skips the test where it is not installed."""
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    return SHELLS[shell]


def by_shell(asked: ProbeRequest, shell: str = "dash", root: str = "") -> HostFacts:
    """The probe's program alone, in one shell."""
    program = b"why='none here' python=\n" + gzip.decompress(sh_program(asked, root))
    done = subprocess.run(
        [*needs(shell), "-c", 'eval "$(cat)"'], input=program, capture_output=True, timeout=60
    )
    assert done.stderr == b""
    return read_document("here", decode(done.stdout))


def as_sent(asked: ProbeRequest, path: Path, python: str | None = None) -> HostFacts:
    """All that is sent to a host, where `path` holds the only commands that can be found."""
    done = subprocess.run(
        arguments(STUB, python=python, become="never"),
        input=encode(b"no Python runs this", b"{}", sh_program(asked)),
        capture_output=True,
        env={"PATH": str(path)},
        timeout=60,
    )
    return read_document("here", decode(done.stdout))
