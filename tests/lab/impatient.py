"""The tool with seconds where it waits for a silent host for minutes.

python -m tests.lab.impatient COMMAND …
"""

from __future__ import annotations

from xgen_deploy.cli.main import run
from xgen_deploy.transfer import host_transfer
from xgen_deploy.transport import python_host, ssh_connect
from xgen_deploy.transport.program import Program, remote_program

_SILENCE = b"SILENCE = 60.0"


def _impatient(which: Program) -> bytes:
    program = remote_program(which)
    assert which != "transfer" or _SILENCE in program
    return program.replace(_SILENCE, b"SILENCE = 4.0")


if __name__ == "__main__":
    ssh_connect._DEAD_AFTER_MS = 4000
    host_transfer._SILENCE = 8.0
    host_transfer._SIGN_OF_LIFE = 1.0
    setattr(python_host, "remote_program", _impatient)  # noqa: B010
    run()
