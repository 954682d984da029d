"""Start a Python program in a process that runs the stub: sudo's question, then the program."""

from xgen_deploy.limits import DOCUMENT, PREAMBLE, STDERR
from xgen_deploy.transport.command import OLD_PYTHON, PROMPT, STARTED
from xgen_deploy.transport.framing import MARKER
from xgen_deploy.transport.process import Deadline, Output, Process

_NEW_ENOUGH = (
    "import sys\n"
    "if sys.version_info < (3, 8):\n"
    f"    sys.exit('{OLD_PYTHON} ' + sys.version.split()[0])\n"
).encode()


class WrongPassword(Exception):
    """sudo asked a second time."""


class TooMuch(Exception):
    """It printed more than `limit` bytes; `before` says before what, or is empty."""

    def __init__(self, limit: int, before: str = "") -> None:
        super().__init__(limit)
        self.limit, self.before = limit, before


class Ended(Exception):
    """The process ended before the program could start."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        super().__init__(status)
        self.status, self.stdout, self.stderr = status, stdout, stderr


def payload(program: bytes) -> bytes:
    """The stub's input for a program that goes on reading its input and writing its output."""
    checked = _NEW_ENOUGH + program
    return b"%s\n%d\n%s" % (MARKER, len(checked), checked)


class Printed:
    """What a process has printed: at most `limit` bytes of output, the end of its errors."""

    def __init__(self, limit: int, before: str = "") -> None:
        self.out, self.err = bytearray(), bytearray()
        self._limit, self._before = limit, before

    def add(self, got: Output) -> None:
        """Raises TooMuch."""
        self.out += got.out
        self.err += got.err
        del self.err[:-STDERR]
        if len(self.out) > self._limit:
            raise TooMuch(self._limit, self._before)

    def ended(self, process: Process) -> Ended:
        return Ended(process.returncode(), bytes(self.out), bytes(self.err))


def collect(process: Process, deadline: Deadline) -> Ended:
    """Read a process to its end: its status and all that it printed. Raises TooMuch."""
    printed, got = Printed(DOCUMENT + PREAMBLE), Output()
    while not got.ended:
        got = process.read(deadline.left())
        printed.add(got)
    return printed.ended(process)


def answer_sudo(process: Process, password: str, deadline: Deadline) -> None:
    """Give the password if sudo asks, and only then; return when the interpreter runs.

    Raises WrongPassword after one wrong try, so that no account gets locked, Ended and TooMuch.
    """
    printed, given = Printed(PREAMBLE, "sudo answered"), False
    while STARTED.encode() not in printed.out:
        got = process.read(deadline.left())
        printed.add(got)
        asked = printed.err.count(PROMPT.encode())
        if asked > 1:
            raise WrongPassword
        if asked and not given:
            process.send(password.encode() + b"\n")
            given = True
        if got.ended:
            raise printed.ended(process)


def skip_to(mark: bytes, process: Process, deadline: Deadline) -> bytes:
    """Read past whatever a login shell prints, to the line `mark`; what came after it. Raises
    Ended and TooMuch."""
    printed, line = Printed(PREAMBLE, "the program could start"), mark + b"\n"
    while True:
        _, found, after = printed.out.rpartition(line)
        if found:
            return bytes(after)
        got = process.read(deadline.left())
        printed.add(got)
        if got.ended and line not in printed.out:
            raise printed.ended(process)
