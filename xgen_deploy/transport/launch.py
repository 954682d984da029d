"""Start a Python program in a process that runs the stub: sudo's question, then the program."""

from xgen_deploy.probe.framing import MARKER
from xgen_deploy.transport.command import OLD_PYTHON, PROMPT, STARTED
from xgen_deploy.transport.process import Deadline, Output, Process

_NEW_ENOUGH = (
    "import sys\n"
    "if sys.version_info < (3, 8):\n"
    f"    sys.exit('{OLD_PYTHON} ' + sys.version.split()[0])\n"
).encode()


class WrongPassword(Exception):
    """sudo asked a second time."""


class Ended(Exception):
    """The process ended before the program could start."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        super().__init__(status)
        self.status, self.stdout, self.stderr = status, stdout, stderr


def payload(program: bytes) -> bytes:
    """The stub's input for a program that goes on reading its input and writing its output."""
    checked = _NEW_ENOUGH + program
    return b"%s\n%d\n%s" % (MARKER, len(checked), checked)


def collect(process: Process, deadline: Deadline) -> Ended:
    """Read a process to its end: its status and all that it printed."""
    out, err = bytearray(), bytearray()
    got = Output()
    while not got.ended:
        got = process.read(deadline.left())
        out += got.out
        err += got.err
    return Ended(process.returncode(), bytes(out), bytes(err))


def answer_sudo(process: Process, password: str, deadline: Deadline) -> None:
    """Give the password if sudo asks, and only then; return when the interpreter runs.

    Raises WrongPassword after one wrong try, so that no account gets locked, and Ended.
    """
    out, err, given = b"", b"", False
    while STARTED.encode() not in out:
        got = process.read(deadline.left())
        out, err = out + got.out, err + got.err
        asked = err.count(PROMPT.encode())
        if asked > 1:
            raise WrongPassword
        if asked and not given:
            process.send(password.encode() + b"\n")
            given = True
        if got.ended:
            raise Ended(process.returncode(), out, err)


def skip_to(mark: bytes, process: Process, deadline: Deadline) -> bytes:
    """Read past whatever a login shell prints, to the line `mark`; what came after it."""
    out, err = b"", b""
    while True:
        _, found, after = out.rpartition(mark + b"\n")
        if found:
            return after
        got = process.read(deadline.left())
        out, err = out + got.out, err + got.err
        if got.ended and mark + b"\n" not in out:
            raise Ended(process.returncode(), out, err)
