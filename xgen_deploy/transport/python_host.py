"""What local and SSH connections share: processes that run the stub."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from json import dumps

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport import framing, launch
from xgen_deploy.transport.base import Session, Take, WebRequest
from xgen_deploy.transport.command import Become
from xgen_deploy.transport.process import Deadline, Output, Process
from xgen_deploy.transport.program import Program, remote_program
from xgen_deploy.transport.refusals import explain
from xgen_deploy.transport.session import READY, AgentSession
from xgen_deploy.visible import VisibleStream

_START_TIMEOUT = 30.0
_MARGIN = 15.0
_LOOK_UP = 1.0
_HOUR = 3600.0
_FAILURES = (launch.WrongPassword, launch.Ended, launch.TooMuch, ConnectionError)


class PythonHost:
    """Subclasses start the stub in `_open`. `user` is the login's name, for messages; `password` is
    sudo's.
    """

    def __init__(self, name: str, user: str, become: Become, password: str | None) -> None:
        self._name = name
        self._user = user
        self._become = become
        self._password = password

    @property
    def name(self) -> str:
        return self._name

    def connect(self) -> None:
        """Nothing to do without a network connection."""

    def observe(
        self, program: bytes, request: bytes, *, timeout: float, shell: bytes = b""
    ) -> bytes:
        deadline = Deadline(timeout)
        process = self._open(deadline)
        try:
            self._pass_sudo(process, deadline)
            process.send(framing.encode(program, request, shell))
            process.end_input()
            return self._document(launch.collect(process, deadline))
        except (*_FAILURES, TimeoutError) as error:
            raise self._failure(error, f"it did not answer within {timeout:.0f} s") from None
        finally:
            process.close()

    def follow(
        self,
        argv: Sequence[str],
        *,
        timeout: float | None = None,
        raw: bool = False,
        take: Take | None = None,
    ) -> int:
        deadline = Deadline(timeout)
        process = self._open(Deadline(_START_TIMEOUT))
        try:
            first = self._start(
                process, remote_program("follow"), dumps(list(argv)).encode() + b"\n"
            )
            return _relay(process, first, deadline, raw=raw, take=take)
        except _FAILURES as error:
            raise self._failure(error, "") from None
        finally:
            process.close()

    def stream(self, request: WebRequest, take: Take) -> None:
        process = self._open(Deadline(_START_TIMEOUT))
        try:
            got = self._start(process, remote_program("stream"), request.line())
            while True:
                take(got.out)
                if got.ended:
                    return
                got = process.read(request.timeout + _MARGIN)
        except (*_FAILURES, TimeoutError) as error:
            late = f"nothing more of the answer came within {request.timeout:.0f} s"
            raise self._failure(error, late) from None
        finally:
            process.close()

    def transfer(
        self, request: bytes, program: Program = "transfer"
    ) -> AbstractContextManager[tuple[Process, Output]]:
        return self._talking(remote_program(program), request)

    def relay(self, request: bytes) -> AbstractContextManager[tuple[Process, Output]]:
        return self._talking(remote_program("relay"), request)

    def report(
        self, program: bytes, request: bytes
    ) -> AbstractContextManager[tuple[Process, Output]]:
        return self._talking(program, request)

    @contextmanager
    def _talking(self, program: bytes, request: bytes) -> Iterator[tuple[Process, Output]]:
        process = self._open(Deadline(_START_TIMEOUT))
        try:
            yield process, self._start(process, program, request + b"\n")
        except _FAILURES as error:
            raise self._failure(error, "") from None
        finally:
            process.close()

    def session(self) -> Session:
        process = self._open(Deadline(_START_TIMEOUT))
        try:
            rest = self._start(process, remote_program("agent"), b"")
        except (*_FAILURES, TimeoutError) as error:
            process.close()
            raise self._failure(
                error, f"the program there did not start within {_START_TIMEOUT:.0f} s"
            ) from None
        return AgentSession(self._name, process, rest.out)

    def _open(self, deadline: Deadline) -> Process:
        """A process that runs the stub with the become mode of this host."""
        raise NotImplementedError

    def _document(self, ended: launch.Ended) -> bytes:
        try:
            return framing.decode(ended.stdout)
        except ValueError:
            raise ended from None

    def _pass_sudo(self, process: Process, deadline: Deadline) -> None:
        if self._become == "ask":
            launch.answer_sudo(process, self._password or "", deadline)

    def _start(self, process: Process, program: bytes, first: bytes) -> Output:
        deadline = Deadline(_START_TIMEOUT)
        self._pass_sudo(process, deadline)
        process.send(launch.payload(program) + first)
        return launch.skip_to(READY, process, deadline)

    def _failure(self, error: Exception, late: str) -> UnreachableError:
        match error:
            case launch.WrongPassword():
                return explain(self._name, self._user, 1, b"", b"sorry, try again")
            case launch.Ended():
                return explain(self._name, self._user, error.status, error.stdout, error.stderr)
            case launch.TooMuch():
                before = f" before {error.before}" if error.before else ""
                return UnreachableError(
                    self._name,
                    f"it printed more than {error.limit >> 20} MiB{before}",
                    f"Look at what the login shell of {self._user} prints there when it starts.",
                )
            case TimeoutError():
                return UnreachableError(self._name, late, "Check whether the host is overloaded.")
        return UnreachableError(
            self._name, f"the connection was lost ({error})", "Run the same command again."
        )


def _relay(
    process: Process, got: Output, deadline: Deadline, *, raw: bool, take: Take | None
) -> int:
    """Copy a process's output to ours, or hand it on, until it ends; its exit status, 124 for a
    timeout."""
    out, err = VisibleStream(), VisibleStream()
    try:
        while True:
            if take is not None:
                take(got.out)
            elif raw:
                sys.stdout.buffer.write(got.out)
            else:
                sys.stdout.write(out.add(got.out, last=got.ended))
            sys.stderr.write(err.add(got.err, last=got.ended))
            sys.stdout.flush()
            sys.stderr.flush()
            if got.ended:
                return process.returncode()
            got = _next(process, deadline, at_most=_LOOK_UP if take is not None else _HOUR)
    except TimeoutError:
        return 124


def _next(process: Process, deadline: Deadline, *, at_most: float) -> Output:
    """Nothing where nothing came for a while."""
    left = deadline.left(at_most)
    try:
        return process.read(left)
    except TimeoutError:
        return Output()
