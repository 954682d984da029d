"""The timer's program, minute by minute. The engine and systemd are faked at its own two seams."""

from typing import Any

import pytest

from xgen_deploy.heal import remote

ONE = {"unit": "u.service", "address": "127.0.0.1", "port": 1, "path": "/", "body": {}}
LIMITS = remote.Limits(failures=2, restarts=1, pause=100.0, request=1.0)


class Host:
    """An engine that answers or not, whose token counter moves or not, under a fake systemd."""

    def __init__(self) -> None:
        self.answers = True
        self.tokens: float | None = 5.0
        self.run: str | None = "run-1"
        self.age = 1000.0
        self.commands: list[tuple[str, ...]] = []
        self.kernel = ""

    def ask(self, _one: dict[str, Any], method: str, *_: object) -> str | None:
        if method == "GET":
            return None if self.tokens is None else f"llamacpp:tokens_predicted_total {self.tokens}"
        return "{}" if self.answers else None

    def command(self, *argv: str) -> str:
        self.commands.append(argv)
        return self.kernel if argv[0] == "journalctl" else ""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    fake = Host()
    monkeypatch.setattr(remote, "ask", fake.ask)
    monkeypatch.setattr(remote, "command", fake.command)
    monkeypatch.setattr(remote, "started", lambda _unit: (fake.run, fake.age))
    return fake


def minutes(count: int, state: dict[str, Any] | None = None) -> dict[str, Any]:
    state = state or {}
    for _ in range(count):
        state = remote.look(ONE, state, LIMITS)
    return state


def test_an_engine_that_answers_is_left_alone(host: Host) -> None:
    assert minutes(3) == {"run": "run-1"}
    assert host.commands == []


def test_one_that_hangs_is_restarted_after_the_stated_failures(host: Host) -> None:
    host.answers = False
    assert minutes(2)["failures"] == 1, "the first look only learns where the counters stand"
    state = minutes(3)
    assert ("systemctl", "restart", "u.service") in host.commands
    assert state["restarts"] == 1


def test_a_busy_one_is_not(host: Host) -> None:
    host.answers = False
    state: dict[str, Any] = {}
    for tokens in range(10):
        host.tokens = float(tokens)
        state = remote.look(ONE, state, LIMITS)
    assert host.commands == []


@pytest.mark.parametrize(("run", "age"), [(None, 0.0), ("run-1", 50.0)])
def test_one_that_is_stopped_or_young_is_not_asked(host: Host, run: str | None, age: float) -> None:
    host.answers, host.run, host.age = False, run, age
    assert minutes(9) == {}
    assert host.commands == []


def test_it_gives_up_and_says_why_and_that_lasts_until_somebody_starts_it(host: Host) -> None:
    host.answers, host.tokens = False, None
    state = minutes(9, {"restarts": 1, "not_before": 0})
    assert state["gave_up"].startswith("given up, restarted 1 times")
    assert ("systemctl", "stop", "u.service") in host.commands
    host.run = None
    assert minutes(2, state) == state
    host.run, host.answers = "run-2", True
    assert minutes(1, state) == {"run": "run-2"}


def test_a_pause_keeps_the_next_restart_off(host: Host) -> None:
    host.answers, host.tokens = False, None
    minutes(9, {"restarts": 0, "not_before": 9e12})
    assert host.commands == []


def test_a_lost_gpu_is_the_reason(host: Host) -> None:
    host.answers, host.tokens = False, None
    host.kernel = "NVRM: Xid (PCI:0000:41:00): 79, pid=1, GPU has fallen off the bus."
    assert "fell off the bus" in minutes(9)["reason"]


@pytest.mark.parametrize(("text", "key"), [("abc\n", "abc"), ('{# x #}api-key: ["a-b"]\n', "a-b")])
def test_the_key_is_read_as_each_engine_has_it(text: str, key: str) -> None:
    assert remote.key_in(text) == key


def test_a_held_lock_is_seen_without_taking_it(tmp_path: Any) -> None:
    import fcntl

    path = tmp_path / "lock"
    with path.open("w") as file:
        assert not remote.locked(str(path))
        fcntl.flock(file, fcntl.LOCK_EX)
        assert remote.locked(str(path))
    assert not remote.locked(str(tmp_path / "absent"))
