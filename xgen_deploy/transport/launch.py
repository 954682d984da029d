"""Start a Python program in a process that runs the stub: answer sudo, then send the program."""

from xgen_deploy.limits import DOCUMENT, PREAMBLE, STDERR
from xgen_deploy.state.host_python import OLDEST
from xgen_deploy.transport.command import OLD_PYTHON, PROMPT, STARTED
from xgen_deploy.transport.framing import MARKER
from xgen_deploy.transport.process import Deadline, Output, Process

_NEW_ENOUGH = (
    "import sys\n"
    f"if sys.version_info < {OLDEST}:\n"
    f"    sys.exit('{OLD_PYTHON} ' + sys.version.split()[0])\n"
).encode()


class WrongPassword(Exception):
    """sudo asked for the password a second time."""


class TooMuch(Exception):
    """The process printed more than `limit` bytes; `before` says before what, or is ""."""

    def __init__(self, limit: int, before: str = "") -> None:
        super().__init__(limit)
        self.limit, self.before = limit, before


class Ended(Exception):
    """The process ended before the program could start."""

    def __init__(self, status: int, stdout: bytes, stderr: bytes) -> None:
        super().__init__(status)
        self.status, self.stdout, self.stderr = status, stdout, stderr


def payload(program: bytes) -> bytes:
    """The stub's input for a program that then talks over its own stdin and stdout."""
    checked = _NEW_ENOUGH + program
    return b"%s\n%d\n%s" % (MARKER, len(checked), checked)


class Printed:
    """A process's output so far: at most `limit` bytes of stdout, and the end of stderr."""

    def __init__(self, limit: int, before: str = "") -> None:
        self.out, self.err = bytearray(), bytearray()
        self._limit, self._before = limit, before

    def add(self, output: Output) -> None:
        """Raises TooMuch."""
        self.out += output.out
        self.err += output.err
        del self.err[:-STDERR]
        if len(self.out) > self._limit:
            raise TooMuch(self._limit, self._before)

    def ended(self, process: Process) -> Ended:
        return Ended(process.returncode(), bytes(self.out), bytes(self.err))


def collect(process: Process, deadline: Deadline) -> Ended:
    """Read a process to its end: its exit status and its output. Raises TooMuch."""
    printed, output = Printed(DOCUMENT + PREAMBLE), Output()
    while not output.ended:
        output = process.read(deadline.left())
        printed.add(output)
    return printed.ended(process)


def answer_sudo(process: Process, password: str, deadline: Deadline) -> None:
    """Send the password only if sudo asks for it; returns once the interpreter runs.

    Raises Ended, TooMuch, and WrongPassword after the first wrong one, so that no account gets
    locked.
    """
    printed, sent = Printed(PREAMBLE, "sudo answered"), False
    while STARTED.encode() not in printed.out:
        output = process.read(deadline.left())
        printed.add(output)
        prompts = printed.err.count(PROMPT.encode())
        if prompts > 1:
            raise WrongPassword
        if prompts and not sent:
            process.send(password.encode() + b"\n")
            sent = True
        if output.ended:
            raise printed.ended(process)


def skip_to(mark: bytes, process: Process, deadline: Deadline) -> Output:
    """Read past the output of a login shell, up to the line `mark`; returns what follows it, with
    the errors that came together with it. Raises Ended and TooMuch."""
    printed, line = Printed(PREAMBLE, "the program could start"), mark + b"\n"
    output = Output()
    while True:
        _, found, after = printed.out.rpartition(line)
        if found:
            return Output(bytes(after), output.err, ended=output.ended)
        output = process.read(deadline.left())
        printed.add(output)
        if output.ended and line not in printed.out:
            raise printed.ended(process)
