"""What the process runtime reads of a program's log: all of one start, and of no other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from xgen_deploy.apply.supervisord import Supervisord
from xgen_deploy.state.layout import process_layout
from xgen_deploy.transport.base import Completed

SERVICE = "xgen-p-q"


class Session:
    """Of a host where this is in the program's log."""

    def __init__(self) -> None:
        self.log = ""

    def run(self, argv: Sequence[str], **_: object) -> Completed:
        return Completed(0, str(len(self.log)) if argv[0] == "stat" else "", "")

    def read_file(self, _path: str, *, offset: int = 0) -> bytes:
        return self.log.encode()[offset:]


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def supervisor(session: Session) -> Supervisord:
    layout = process_layout("p", "/state")
    return Supervisord("h", session, layout, "", "python3")  # type: ignore[arg-type]


@pytest.mark.parametrize("lines", [None, 400])
def test_what_an_earlier_start_printed_is_not_of_this_one(
    lines: int | None, session: Session, supervisor: Supervisord
) -> None:
    session.log = "unable to load model\n"
    supervisor.start(SERVICE)
    assert supervisor.log(SERVICE, "7", lines=lines) == ""
    session.log += "loading\n"
    assert supervisor.log(SERVICE, "7", lines=lines).strip() == "loading"


@pytest.mark.parametrize("lines", [None, 400])
def test_a_log_that_was_moved_away_meanwhile_is_read_from_its_beginning(
    lines: int | None, session: Session, supervisor: Supervisord
) -> None:
    session.log = "x" * 10_000_000
    supervisor.start(SERVICE)
    session.log = "loading\n"
    assert supervisor.log(SERVICE, "7", lines=lines).strip() == "loading"
