"""The timer's program, minute by minute, over a real HTTP engine and a played systemd."""

import fcntl
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.watchdog.engine import VLLM, Engine, Systemd, settings
from xgen_deploy.transport.remote import locks
from xgen_deploy.watchdog import remote

LIMITS = {"request": 0.1, "page": 0.1}


class World:
    """One engine on one host; time passes by `minutes` alone."""

    def __init__(self, engine: Engine, systemd: Systemd, port: int, lock: Path) -> None:
        self.engine, self.systemd, self.port = engine, systemd, port
        self.lock = lock
        self.more: dict[str, object] = {}
        self.state: dict[str, Any] = {}

    def minutes(self, count: int, each: Callable[[], object] = lambda: None) -> list[str]:
        """Looks so often; what systemd was told to do."""
        before = len(self.systemd.commands)
        for _ in range(count):
            self.systemd.now += 60.0
            each()
            self.look()
        return self.systemd.verbs[before:]

    def look(self) -> None:
        one = settings(self.port, **self.more)
        config = {"lock": str(self.lock), "limits": LIMITS, "instances": {"m": one}}
        before = {"m": self.state} if self.state else {}
        self.state = remote.watch(config, before, self.systemd.now)["m"]

    def served(self) -> None:
        """It has answered in this start."""
        self.minutes(2)
        assert self.state["answered"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    engine, systemd = Engine(), Systemd()
    monkeypatch.setattr(remote, "command", systemd.command)
    monkeypatch.setattr(remote, "started", systemd.started)
    with engine.endpoint() as port:
        yield World(engine, systemd, port, tmp_path / "lock")


def test_an_engine_that_answers_is_left_alone(world: World) -> None:
    assert world.minutes(5) == []
    assert world.engine.posts == 5


@pytest.mark.parametrize("page", [Engine.page, VLLM], ids=["llama-server", "vllm"])
def test_one_long_answer_on_the_only_slot_is_no_hang(world: World, page: str) -> None:
    world.engine.page = page
    world.served()
    world.engine.answered = False
    assert world.minutes(600, world.engine.work) == []


def test_a_busy_engine_gets_no_request_of_ours(world: World) -> None:
    world.served()
    asked = world.engine.posts
    world.minutes(10, world.engine.work)
    world.engine.waiting = 4
    world.minutes(10)
    assert world.engine.posts == asked


def test_a_long_prompt_without_a_token_is_no_hang(world: World) -> None:
    world.served()
    world.engine.page = None  # llama-server's loop is in one batch, and answers nothing
    assert world.minutes(19) == []
    world.engine.page = Engine.page
    world.engine.work()
    assert world.minutes(1) == []
    assert world.minutes(19) == []


@pytest.mark.parametrize("silent", [True, False])
def test_one_that_moves_nothing_for_long_while_requests_are_under_way_is_restarted(
    world: World, silent: bool
) -> None:
    world.served()
    world.engine.processing = 1
    if silent:
        world.engine.page = None
    assert world.minutes(19) == []
    assert world.minutes(2) == ["restart"]
    assert ("systemctl", "restart", "--no-block", "u.service") in world.systemd.commands
    assert "nothing has moved for 20 min" in world.state["reason"]


def test_a_batch_that_takes_longer_has_longer(world: World) -> None:
    world.more["still"] = 2400.0
    world.served()
    world.engine.processing = 1
    assert world.minutes(39) == []
    assert world.minutes(2) == ["restart"]


def test_an_idle_one_whose_real_requests_time_out_is_restarted(world: World) -> None:
    world.served()
    world.engine.answered = False
    assert world.minutes(2) == []
    assert world.minutes(1) == ["restart"]
    assert world.state["reason"] == "real requests time out while nothing moves"


def test_three_failures_must_be_in_a_row(world: World) -> None:
    world.served()
    for _ in range(4):
        world.engine.answered = False
        world.minutes(2)
        world.engine.answered = True
        assert world.minutes(1) == []
    assert world.systemd.commands == []


@pytest.mark.parametrize("gone", ["refused", "silent"])
def test_an_engine_that_still_loads_is_never_restarted(world: World, gone: str) -> None:
    """vLLM refuses connections for minutes while it loads."""
    world.systemd.born = 0.0
    world.engine.page = None
    port = world.port
    if gone == "refused":
        world.port = 1
    assert world.minutes(30) == []
    world.port, world.engine.page = port, Engine.page
    assert world.minutes(3) == []
    assert world.state["answered"]


def test_a_start_that_never_answers_has_its_time_and_no_more(world: World) -> None:
    world.systemd.born, world.port = 0.0, 1
    assert world.minutes(30) == []
    assert world.minutes(1) == ["restart"]


def test_a_start_that_took_long_before_may_take_longer(world: World) -> None:
    world.systemd.born, world.port = 0.0, 1
    world.more["loading"] = 6000.0
    assert world.minutes(99) == []


def test_a_dead_port_after_an_answer_is_no_loading(world: World) -> None:
    world.served()
    world.port = 1
    assert world.minutes(2) == []
    assert world.minutes(1) == ["restart"]
    assert world.state["reason"] == "nothing accepts a connection at its port any more"


def test_an_engine_without_counters_is_restarted_for_a_dead_port_alone(world: World) -> None:
    world.more["counters"], world.engine.page = (), ""
    world.minutes(3)
    world.engine.page = None  # one request at a time: it may be at it for hours
    assert world.minutes(45) == []
    assert world.engine.posts == 0, "a request of ours would wait behind another's"
    world.engine.page = ""
    world.minutes(1)
    world.port = 1
    assert world.minutes(3) == ["restart"]


def test_a_page_without_counters_is_an_answer(world: World) -> None:
    world.served()
    world.engine.page = ""
    assert world.minutes(60) == []
    world.engine.page = None
    assert world.minutes(19) == [], "counted from the last answer on"


@pytest.mark.parametrize("where", [{"address": "203.0.113.7"}, {"key_file": "/no/such"}])
def test_what_cannot_be_asked_is_not_judged(world: World, where: dict[str, str]) -> None:
    """The host's address is gone, or the key: a restart would make an outage of it."""
    world.served()
    world.more |= where
    assert world.minutes(300) == []


@pytest.mark.parametrize(("run", "born"), [(None, -1e6), ("run-1", 0.0)])
def test_one_that_is_stopped_or_young_is_not_asked(
    world: World, run: str | None, born: float
) -> None:
    world.systemd.run, world.systemd.born = run, born
    world.minutes(1)
    assert (world.state, world.engine.posts) == ({}, 0)


def test_time_in_which_nobody_looked_is_no_standing_still(world: World) -> None:
    """An apply held the lock for an hour, and a request came just before it ended."""
    world.served()
    world.systemd.now += 3600.0
    world.engine.processing = 1
    assert world.minutes(19) == []


def test_the_pause_before_the_next_restart_grows(world: World) -> None:
    world.systemd.born, world.port = 0.0, 1
    world.more["loading"] = 0.0
    at = []
    for minute in range(70):
        if world.minutes(1) == ["restart"]:
            at.append(minute)
    assert [b - a for a, b in pairwise(at)] == [4, 4, 8, 16]


def test_it_gives_up_says_so_and_tries_again_an_hour_later(world: World) -> None:
    world.served()
    world.engine.answered = False
    world.state["restarts"] = 5
    assert world.minutes(3) == ["stop"]
    assert world.state["gave_up"] == (
        "given up for 60 min, restarted 5 times: real requests time out while nothing moves"
    )
    assert world.minutes(59) == []
    world.engine.answered = True
    assert world.minutes(1) == ["start"]
    assert world.minutes(5) == []
    assert "gave_up" not in world.state
    assert "restarts" not in world.state


def test_what_was_given_up_and_then_disabled_stays_down(world: World) -> None:
    world.state = {"gave_up": "given up", "again_at": 0.0}
    world.systemd.run, world.systemd.enabled = None, False
    assert world.minutes(200) == []


def test_what_was_given_up_and_started_by_hand_is_looked_at_again(world: World) -> None:
    world.state = {"gave_up": "given up", "again_at": 1e6}
    world.systemd.run = None
    assert world.minutes(2) == []
    world.systemd.run = "by-hand"
    world.minutes(1)
    assert world.state["answered"]


def test_a_lost_gpu_is_the_reason(world: World) -> None:
    world.served()
    world.engine.answered = False
    world.systemd.kernel = "NVRM: Xid (PCI:0000:41:00): 79, pid=1, GPU has fallen off the bus."
    world.minutes(3)
    assert "fell off the bus" in world.state["reason"]


def test_nothing_is_done_while_an_apply_has_the_lock(world: World) -> None:
    """Even if it came after the look."""
    world.served()
    world.engine.answered = False
    with world.lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert world.minutes(9) == []
    assert world.minutes(1) == ["restart"]


def test_nothing_is_done_to_another_start_than_the_judged_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.served()
    world.engine.answered = False
    world.minutes(2)
    runs = iter(["run-1", "run-2"])
    monkeypatch.setattr(remote, "started", lambda _unit: (next(runs), 1e6))
    assert world.minutes(1) == []


@pytest.mark.parametrize(
    ("text", "pattern", "key"),
    [("abc\n", None, "abc"), ('api-key: ["a-b"]\n', r'api-key: \[(".*")\]\n?', "a-b")],
)
def test_the_key_is_read_as_each_engine_has_it(text: str, pattern: str | None, key: str) -> None:
    assert remote.key_in(text, pattern) == key


def test_a_held_lock_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("w") as file:
        assert free(path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not free(path)
    assert free(path)
    assert free(tmp_path / "absent")


def test_a_lock_that_cannot_be_asked_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.symlink_to(path)
    assert not free(path)


def free(path: Path) -> bool:
    with remote.lock_free(str(path)) as found:
        return found


BOOT = "b-1"
STATES: dict[str, tuple[object, dict[str, Any]]] = {
    "the same boot": (
        {"format": 2, "boot": BOOT, "instances": {"m": {"run": "r"}}},
        {"m": {"run": "r"}},
    ),
    "another boot": ({"format": 2, "boot": "b-0", "instances": {"m": {"run": "r"}}}, {}),
    "0.1.0": (
        {"format": 1, "instances": {"m": {"gave_up": "why", "not_before": 2e9}, "n": {"run": "r"}}},
        {"m": {"gave_up": "why"}},
    ),
    "no state at all": ([], {}),
}


@pytest.mark.parametrize("case", STATES)
def test_what_is_remembered(tmp_path: Path, case: str) -> None:
    stored, expected = STATES[case]
    path = tmp_path / "state"
    path.write_text(json.dumps(stored))
    assert remote.remembered(str(path), BOOT) == expected


def test_an_apply_that_comes_while_the_watchdog_has_the_lock_is_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, refused_once = tmp_path / "lock", threading.Event()
    path.write_text(json.dumps({"by": "ops@pc", "pid": "999999999"}))
    monkeypatch.setattr("time.sleep", lambda _seconds: refused_once.set())
    with ThreadPoolExecutor(1) as pool:
        with remote.lock_free(str(path)) as free_now:
            assert free_now
            taken = pool.submit(locks.Locks().take, str(path), {"by": "me"}, 0.0)
            assert refused_once.wait(120)
        assert taken.result(120) == {}
    assert not free(path)
