"""Run the shell probe as a host without Python would."""

import gzip
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.probe.observe import read_document
from xgen_deploy.probe.sh.program import sh_program
from xgen_deploy.state.facts import HostFacts, ProbeRequest
from xgen_deploy.transport.command import arguments
from xgen_deploy.transport.framing import STUB, decode, encode

SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}


def by_shell(
    asked: ProbeRequest,
    shell: str = "dash",
    root: str = "",
    tools: Path | None = None,
) -> HostFacts:
    """The probe's program alone, in one shell. Commands in `tools` come before the host's own."""
    if not shutil.which(SHELLS[shell][0]):
        pytest.skip(f"{shell} is not installed")
    source = gzip.decompress(sh_program(asked, root)).decode()
    path = f"PATH={shlex.quote(str(tools))}:$PATH" if tools else ":"
    source = source.removesuffix("main\n") + f"{path}\nmain\n"
    done = subprocess.run(
        [*SHELLS[shell], "-c", 'eval "$(cat)"'],
        input=f"why='none here' python=\n{source}".encode(),
        capture_output=True,
        timeout=60,
    )
    assert done.stderr == b""
    return read_document("here", decode(done.stdout))


def as_sent(
    asked: ProbeRequest,
    path: Path,
    python: str | None = None,
    edit: tuple[bytes, bytes] = (b"", b""),
) -> HostFacts:
    """All that is sent to a host on which only the commands in `path` are found at first. `edit`
    replaces something, by as many bytes, in what arrives there."""
    sent = encode(b"raise SystemExit('ran')", b"{}", sh_program(asked)).replace(*edit)
    done = subprocess.run(
        arguments(STUB, python=python, become="never"),
        input=sent,
        capture_output=True,
        env={"PATH": str(path)},
        timeout=60,
    )
    assert done.stderr == b""
    return read_document("here", decode(done.stdout))
