"""What systemd is said to say is a number or nothing."""

import pytest

from tests.fake_host.host import FakeHost
from xgen_deploy.apply.systemd import Systemd


@pytest.mark.parametrize(
    ("text", "restarts", "status"),
    [("3", 3, 3), ("\u00b2", 0, None), ("9" * 5000, 0, None), ("-1", 0, None), ("", 0, None)],
)
def test_only_a_number_counts(text: str, restarts: int, status: int | None) -> None:
    shown = f"NRestarts={text}\nExecMainCode=1\nExecMainStatus={text}\n"
    host = FakeHost("h")
    host.before = lambda *_: shown
    state = Systemd("h", host.session()).state("xgen-p-q")
    assert (state.restarts, state.status) == (restarts, status)
