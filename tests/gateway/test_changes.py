"""Instances come, go, fail and are replaced while clients keep asking."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.gateway.conftest import MakeDoor, MakeEngine
from tests.gateway.door import Answer, Door, serving
from tests.gateway.stub import Engine
from tests.transport.eventually import eventually

CHAT = "/v1/chat/completions"


@pytest.fixture
def first(make_engine: MakeEngine) -> Engine:
    return make_engine("first")


@pytest.fixture
def second(make_engine: MakeEngine) -> Engine:
    return make_engine("second")


@pytest.fixture
def pair(make_door: MakeDoor, first: Engine, second: Engine) -> Door:
    """One model on two instances."""
    door = make_door()
    door.set([serving(first, "qwen"), serving(second, "qwen")])
    door.start()
    return door


def held(door: Door, pool: ThreadPoolExecutor) -> Future[Answer]:
    """A request that its engine does not answer before it is released."""
    return pool.submit(door.ask, CHAT, {"model": "qwen", "hold": True})


def served_by(door: Door, model: str = "qwen") -> str:
    return str(door.ask(CHAT, {"model": model}).json["served_by"])


def test_the_instance_with_fewer_requests_is_taken(
    pair: Door, first: Engine, second: Engine
) -> None:
    with ThreadPoolExecutor() as pool:
        busy = held(pair, pool)
        assert eventually(lambda: len(first.seen) + len(second.seen) == 1)
        idle = second if first.seen else first
        assert {served_by(pair) for _ in range(5)} == {idle.name}
        first.release.set()
        second.release.set()
        assert busy.result().status == 200


def test_an_instance_that_is_gone_costs_no_request(pair: Door, first: Engine) -> None:
    first.close()
    assert {served_by(pair) for _ in range(20)} == {"second"}


def test_an_instance_that_says_it_is_not_ready_gets_nothing(pair: Door, first: Engine) -> None:
    first.healthy = False
    assert eventually(lambda: not pair.state("first").up)
    assert {served_by(pair) for _ in range(5)} == {"second"}
    assert "503" in pair.state("first").reason
    first.healthy = True
    assert eventually(lambda: pair.state("first").up)
    assert eventually(lambda: served_by(pair) == "first")


def test_without_an_instance_the_answer_says_so(make_door: MakeDoor, first: Engine) -> None:
    door = make_door()
    door.set([serving(first, "qwen")])
    door.start()
    first.close()
    assert eventually(lambda: not door.state("first").up)
    answer = door.ask(CHAT, {"model": "qwen"})
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert "qwen" in answer.json["error"]["message"]
    assert answer.headers["Retry-After"]


def test_fallbacks_take_over_in_their_order(
    make_door: MakeDoor, make_engine: MakeEngine, first: Engine, second: Engine
) -> None:
    third = make_engine("third")
    door = make_door()
    instances = [serving(first, "big"), serving(second, "mid"), serving(third, "small")]
    door.set(instances, {"big": ("mid", "small")})
    door.start()
    assert served_by(door, "big") == "first"
    first.healthy = False
    assert eventually(lambda: served_by(door, "big") == "second")
    second.healthy = False
    assert eventually(lambda: served_by(door, "big") == "third")
    assert eventually(lambda: door.ask(CHAT, {"model": "mid"}).status == 503)
    first.healthy = True
    assert eventually(lambda: served_by(door, "big") == "first")


def test_a_request_waits_its_turn(make_door: MakeDoor, first: Engine) -> None:
    door = make_door()
    door.set([serving(first, "qwen", slots=1)])
    door.start()
    with ThreadPoolExecutor() as pool:
        asked = [held(door, pool) for _ in range(3)]
        assert eventually(lambda: door.state("first").sessions == 1 and len(first.seen) == 1)
        assert eventually(lambda: waiting(door) == 2)
        assert len(first.seen) == 1
        first.release.set()
        assert [a.result().status for a in asked] == [200, 200, 200]


def test_waiting_ends_with_the_queue_timeout(make_door: MakeDoor, first: Engine) -> None:
    door = make_door(queue_timeout=0.2)
    door.set([serving(first, "qwen", slots=1)])
    door.start()
    with ThreadPoolExecutor() as pool:
        busy = held(door, pool)
        assert first.arrived.acquire(timeout=20)
        answer = door.ask(CHAT, {"model": "qwen"})
        assert (answer.status, answer.code) == (503, "service_unavailable")
        first.release.set()
        assert busy.result().status == 200


def waiting(door: Door) -> int:
    """Requests in the model's queue."""
    rows = door.runtime.ask("show stat").splitlines()
    return next(int(r.split(",")[2] or 0) for r in rows if r.startswith("qwen,BACKEND"))


def test_a_drained_instance_finishes_what_it_has(pair: Door, first: Engine, second: Engine) -> None:
    with ThreadPoolExecutor() as pool:
        pair.runtime.drain("here.second")
        busy = held(pair, pool)
        assert first.arrived.acquire(timeout=20)
        pair.runtime.enable("here.second")
        assert pair.runtime.wait_up("here.second", 20)
        pair.runtime.drain("here.first")
        assert pair.state("first").draining
        assert {served_by(pair) for _ in range(5)} == {"second"}
        assert not pair.runtime.wait_idle("here.first", 0)
        first.release.set()
        assert pair.runtime.wait_idle("here.first", 20)
        assert busy.result().json["served_by"] == "first"
    pair.runtime.enable("here.first")
    assert eventually(lambda: served_by(pair) == "first")


def test_a_drained_model_falls_back(make_door: MakeDoor, first: Engine, second: Engine) -> None:
    door = make_door()
    door.set([serving(first, "big"), serving(second, "small")], {"big": ("small",)})
    door.start()
    door.runtime.drain("here.first")
    assert served_by(door, "big") == "second"


def test_a_new_configuration_does_not_cut_an_answer(
    make_door: MakeDoor, first: Engine, second: Engine
) -> None:
    door = make_door()
    door.set([serving(first, "qwen")])
    door.start()
    connection = door.connect()
    connection.request("POST", CHAT, json.dumps({"model": "qwen", "stream": 2}))
    first.next_part.release()
    response = connection.getresponse()
    assert response.readline() == b"data: 0\n"
    door.set([serving(second, "qwen")])
    door.reload()
    assert {served_by(door) for _ in range(5)} == {"second"}
    first.next_part.release()
    assert response.read() == b"\ndata: 1\n\n"


def test_no_connection_is_lost_over_reloads(pair: Door, first: Engine, second: Engine) -> None:
    done, statuses = threading.Event(), []

    def client() -> None:
        while not done.is_set():
            statuses.append(pair.ask(CHAT, {"model": "qwen"}).status)

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client) for _ in range(4)]
        for number in range(5):
            engines = (first,) if number % 2 else (first, second)
            pair.set([serving(e, "qwen") for e in engines])
            pair.reload()
            enough = len(statuses) + 20
            assert eventually(lambda: len(statuses) > enough)  # noqa: B023
        done.set()
        for one in clients:
            one.result()
    assert set(statuses) == {200}


def test_a_broken_configuration_leaves_the_running_one(pair: Door, first: Engine) -> None:
    (pair.folder / "haproxy.cfg").write_text("nonsense\n")
    assert "nonsense" in pair.check()
    pair.reload_in_vain()
    assert pair.ask(CHAT, {"model": "qwen"}).status == 200


def test_what_runs_is_known_by_its_digest(pair: Door, first: Engine) -> None:
    before = pair.runtime.info().digest
    assert before in (pair.folder / "haproxy.cfg").read_text()
    pair.set([serving(first, "qwen")])
    pair.reload()
    after = pair.runtime.info().digest
    assert after != before
    assert after in (pair.folder / "haproxy.cfg").read_text()
