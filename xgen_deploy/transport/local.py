"""The machine that the tool runs on, through a subprocess."""

import getpass
import os
import select
import subprocess
import sys
from typing import IO, cast

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.command import Become, arguments
from xgen_deploy.transport.framing import STUB
from xgen_deploy.transport.process import Deadline, Output
from xgen_deploy.transport.python_host import PythonHost

_CHUNK = 1 << 16


class LocalProcess:
    """A child Process in a session of its own, so that Ctrl-C reaches only the tool."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._stdin = cast(IO[bytes], self._child.stdin)
        self._poll = select.poll()
        self._out = cast(IO[bytes], self._child.stdout).fileno()
        self._open = {self._out, cast(IO[bytes], self._child.stderr).fileno()}
        for handle in self._open:
            self._poll.register(handle, select.POLLIN)

    def send(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._stdin.write(rest) :]
        except (OSError, ValueError):  # it ended, or is being closed: reading tells
            return

    def send_within(self, seconds: float) -> None:
        """It is not bounded."""

    def end_input(self) -> None:
        self._stdin.close()

    def read(self, timeout: float) -> Output:
        out, err = b"", b""
        ready = self._poll.poll(timeout * 1000)
        if not ready:
            raise TimeoutError
        for handle, _ in ready:
            chunk = os.read(handle, _CHUNK)
            if not chunk:
                self._open.discard(handle)
                self._poll.unregister(handle)
            elif handle == self._out:
                out = chunk
            else:
                err = chunk
        return Output(out, err, ended=not self._open)

    def returncode(self) -> int:
        try:
            return self._child.wait(5.0)
        except subprocess.TimeoutExpired:
            return -1

    def close(self) -> None:
        self._stdin.close()


class LocalConnection(PythonHost):
    """`python` None means the interpreter that runs the tool."""

    def __init__(
        self, name: str, *, python: str | None, become: Become, password: str | None
    ) -> None:
        super().__init__(name, getpass.getuser(), become, password)
        self._argv = arguments(STUB, python=python or sys.executable, become=become)

    def _open(self, deadline: Deadline) -> LocalProcess:  # noqa: ARG002
        try:
            return LocalProcess(self._argv)
        except OSError as error:
            raise UnreachableError(self._name, f"no process could be started: {error}") from None

    def close(self) -> None:
        """Nothing is kept open between calls."""
