"""What `status` says of a host's lock: all of it is the host's text."""

import json
import time

import pytest

from xgen_deploy.apply.host_sessions import lock_owner
from xgen_deploy.state.facts import LockFacts
from xgen_deploy.state.lock import lock_status

NOW = time.strftime("%Y-%m-%d %H:%M:%S %z")
KIM = {"by": "kim@ops", "since": NOW, "doing": "apply", "pid": "77"}


def line(**lock: object) -> str | None:
    found = lock_status(LockFacts.model_validate(lock))
    return found.line if found else None


def test_who_has_it_since_when_and_how_many_wait() -> None:
    clock = NOW.split()[1]
    mine = json.dumps(lock_owner("apply") | KIM)
    assert line(holder=mine, pid=77) == f"locked by kim@ops since {clock} (apply)"
    waiting = [json.dumps(KIM)] * 2
    assert line(holder=mine, pid=77, queue=waiting) == f"{line(holder=mine, pid=77)}; 2 wait"
    assert line(queue=waiting[:1]) == f"1 waits for the lock, kim@ops since {clock} (apply) is next"


def test_a_guard_that_puts_back_is_not_the_owner_at_work() -> None:
    said = line(holder=json.dumps(KIM), pid=78)
    assert said is not None
    assert "putting back what worked before" in said


@pytest.mark.parametrize(
    "text", ["", "[" * 5000, '{"by": {"a": 1}}', json.dumps({"by": "x" * 5000}), "\x1b[2J", "null"]
)
def test_what_a_host_writes_there_is_bounded(text: str) -> None:
    said = line(holder=text, pid=1, queue=[text])
    assert said is not None
    assert len(said) < 400
