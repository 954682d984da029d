"""A host that prints without end is that host's error, in bounded memory."""

import stat
import tracemalloc
from pathlib import Path

import pytest

from xgen_deploy.errors import UnreachableError
from xgen_deploy.limits import PREAMBLE, STDERR
from xgen_deploy.transport import launch
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.local import LocalConnection
from xgen_deploy.transport.process import Lines, Output
from xgen_deploy.transport.session import AgentSession

ENDLESS = {
    "output": "exec cat /dev/zero",
    "lines": "exec yes",
    "errors, then output": "cat /dev/zero >&2 & exec yes",
}


@pytest.fixture(params=list(ENDLESS.values()), ids=list(ENDLESS))
def flooding(request: pytest.FixtureRequest, tmp_path: Path) -> Connection:
    """A host whose interpreter (as a login shell would) prints for ever."""
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\n{request.param}\n")
    program.chmod(stat.S_IRWXU)
    return LocalConnection("h", python=str(program), become="never", password=None)


@pytest.mark.parametrize("what", ["session", "follow", "observe"])
def test_a_login_that_prints_without_end_ends_in_a_sentence(
    flooding: Connection, what: str
) -> None:
    ways = {
        "session": flooding.session,
        "follow": lambda: flooding.follow(["true"]),
        "observe": lambda: flooding.observe(b"", b"", timeout=60),
    }
    tracemalloc.start()
    try:
        with pytest.raises(UnreachableError, match=r"^h: it printed more than \d+ MiB"):
            ways[what]()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < (300 << 20 if what == "observe" else 8 << 20)


def test_of_errors_the_end_is_kept() -> None:
    printed = launch.Printed(PREAMBLE)
    for _ in range(100):
        printed.add(Output(err=b"x" * (1 << 16)))
    printed.add(Output(err=b"the last"))
    assert len(printed.err) == STDERR
    assert printed.err.endswith(b"the last")


def test_an_answer_without_an_end_is_refused() -> None:
    lines = Lines(1 << 20)
    assert lines.add(b"a\nb") == [b"a"]
    assert lines.add(b"c\n\nd\n") == [b"bc", b"", b"d"]
    for _ in range(16):
        lines.add(b"x" * (1 << 16))
    with pytest.raises(ConnectionError, match="a line of more than 1 MiB"):
        lines.add(b"x")


class Nonsense:
    """A process that answers every request with the same line."""

    def __init__(self, line: bytes) -> None:
        self._line, self._asked = line, 0

    def send(self, data: bytes) -> None:
        self._asked += b"remove" in data

    def read(self, timeout: float) -> Output:  # noqa: ARG002
        if not self._asked:
            return Output()
        self._asked -= 1
        return Output(out=self._line + b"\n")

    def returncode(self) -> int:
        return 0

    def end_input(self) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": 1, "ok": null}',
        b'{"id": 1}',
        b'{"id": 1, "ok": {"removed": "perhaps"}}',
        b'{"id": 1, "ok": [1]}',
        b'[]\n{"id": []}\n{"id": 1, "ok": 7}',
    ],
)
def test_an_answer_that_makes_no_sense_is_that_hosts_error(line: bytes) -> None:
    session = AgentSession("h", Nonsense(line))
    with pytest.raises(UnreachableError, match="its answer is malformed"):
        session.remove("/x/y", within="/x")
    session.close()


def test_a_deadline_holds_for_errors_without_end(tmp_path: Path) -> None:
    program = tmp_path / "python3"
    program.write_text("#!/bin/sh\nexec cat /dev/zero >&2\n")
    program.chmod(stat.S_IRWXU)
    connection = LocalConnection("h", python=str(program), become="never", password=None)
    with pytest.raises(UnreachableError, match="did not answer within 1 s"):
        connection.observe(b"", b"", timeout=1)
