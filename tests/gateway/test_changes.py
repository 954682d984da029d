"""Instances come, go, fail and are replaced while clients keep asking."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import Answer, RunningGateway, endpoint
from tests.gateway.stub import PATIENCE, Engine
from tests.transport.eventually import alive, eventually
from xgen_deploy.gateway.config import Limits

CHAT = "/v1/chat/completions"


@pytest.fixture
def first(make_engine: MakeEngine) -> Engine:
    return make_engine("first")


@pytest.fixture
def second(make_engine: MakeEngine) -> Engine:
    return make_engine("second")


@pytest.fixture
def pair(make_gateway: MakeGateway, first: Engine, second: Engine) -> RunningGateway:
    """One model on two instances."""
    gateway = make_gateway()
    gateway.set([endpoint(first, "qwen"), endpoint(second, "qwen")])
    gateway.start()
    return gateway


def held(gateway: RunningGateway, pool: ThreadPoolExecutor) -> Future[Answer]:
    """A request that its engine does not answer before it is released."""
    return pool.submit(gateway.ask, CHAT, {"model": "qwen", "hold": True})


def served_by(gateway: RunningGateway, model: str = "qwen") -> str:
    return str(gateway.ask(CHAT, {"model": model}).json["served_by"])


def test_the_instance_with_fewer_requests_is_taken(
    pair: RunningGateway, first: Engine, second: Engine
) -> None:
    with ThreadPoolExecutor() as pool:
        busy = held(pair, pool)
        assert eventually(lambda: len(first.seen) + len(second.seen) == 1)
        idle = second if first.seen else first
        assert {served_by(pair) for _ in range(5)} == {idle.name}
        first.release.set()
        second.release.set()
        assert busy.result().status == 200


def test_an_instance_that_is_gone_costs_no_request(pair: RunningGateway, first: Engine) -> None:
    first.close()
    assert {served_by(pair) for _ in range(20)} == {"second"}


def test_an_instance_that_says_it_is_not_ready_gets_nothing(
    pair: RunningGateway, first: Engine
) -> None:
    first.healthy = False
    assert eventually(lambda: not pair.state("first").up)
    assert {served_by(pair) for _ in range(5)} == {"second"}
    # While the next check is under way no code is told.
    assert eventually(lambda: "503" in pair.state("first").reason)
    first.healthy = True
    assert eventually(lambda: pair.state("first").up)
    assert eventually(lambda: served_by(pair) == "first")


def test_without_an_instance_the_answer_says_so(make_gateway: MakeGateway, first: Engine) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(first, "qwen")])
    gateway.start()
    first.close()
    assert eventually(lambda: not gateway.state("first").up)
    answer = gateway.ask(CHAT, {"model": "qwen"})
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert "qwen" in answer.json["error"]["message"]
    assert answer.headers["Retry-After"]


def test_fallbacks_take_over_in_their_order(
    make_gateway: MakeGateway, make_engine: MakeEngine, first: Engine, second: Engine
) -> None:
    third = make_engine("third")
    gateway = make_gateway()
    instances = [endpoint(first, "big"), endpoint(second, "mid"), endpoint(third, "small")]
    gateway.set(instances, {"big": ("mid", "small")})
    gateway.start()
    assert served_by(gateway, "big") == "first"
    first.healthy = False
    assert eventually(lambda: served_by(gateway, "big") == "second")
    second.healthy = False
    assert eventually(lambda: served_by(gateway, "big") == "third")
    assert eventually(lambda: gateway.ask(CHAT, {"model": "mid"}).status == 503)
    first.healthy = True
    assert eventually(lambda: served_by(gateway, "big") == "first")


def test_a_request_waits_its_turn(make_gateway: MakeGateway, first: Engine) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(first, "qwen", slots=1)])
    gateway.start()
    with ThreadPoolExecutor() as pool:
        asked = [held(gateway, pool) for _ in range(3)]
        assert eventually(lambda: gateway.state("first").sessions == 1 and len(first.seen) == 1)
        assert eventually(lambda: waiting(gateway) == 2)
        assert len(first.seen) == 1
        first.release.set()
        assert [a.result().status for a in asked] == [200, 200, 200]


def test_waiting_ends_with_the_queue_timeout(make_gateway: MakeGateway, first: Engine) -> None:
    gateway = make_gateway(queue_timeout=0.2)
    gateway.set([endpoint(first, "qwen", slots=1)])
    gateway.start()
    with ThreadPoolExecutor() as pool:
        busy = held(gateway, pool)
        assert first.arrived.acquire(timeout=PATIENCE)
        answer = gateway.ask(CHAT, {"model": "qwen"})
        assert (answer.status, answer.code) == (503, "service_unavailable")
        first.release.set()
        assert busy.result().status == 200


def waiting(gateway: RunningGateway) -> int:
    """Requests in the model's queue."""
    rows = gateway.runtime.ask("show stat").splitlines()
    return next(int(r.split(",")[2] or 0) for r in rows if r.startswith("qwen,BACKEND"))


def test_a_drained_instance_finishes_what_it_has(
    pair: RunningGateway, first: Engine, second: Engine
) -> None:
    with ThreadPoolExecutor() as pool:
        pair.runtime.drain("here.second")
        busy = held(pair, pool)
        assert first.arrived.acquire(timeout=PATIENCE)
        pair.runtime.enable("here.second")
        assert pair.runtime.wait_up("here.second", PATIENCE)
        pair.runtime.drain("here.first")
        assert pair.state("first").draining
        assert {served_by(pair) for _ in range(5)} == {"second"}
        assert not pair.runtime.wait_idle("here.first", 0)
        first.release.set()
        assert pair.runtime.wait_idle("here.first", PATIENCE)
        assert busy.result().json["served_by"] == "first"
    pair.runtime.enable("here.first")
    assert eventually(lambda: served_by(pair) == "first")


def test_a_drained_model_falls_back(
    make_gateway: MakeGateway, first: Engine, second: Engine
) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(first, "big"), endpoint(second, "small")], {"big": ("small",)})
    gateway.start()
    gateway.runtime.drain("here.first")
    assert served_by(gateway, "big") == "second"


def test_a_new_configuration_does_not_cut_an_answer(
    make_gateway: MakeGateway, first: Engine, second: Engine
) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(first, "qwen")])
    gateway.start()
    connection = gateway.connect()
    connection.request("POST", CHAT, json.dumps({"model": "qwen", "stream": 2}))
    first.next_part.release()
    response = connection.getresponse()
    assert response.readline() == b"data: 0\n"
    gateway.set([endpoint(second, "qwen")])
    gateway.reload()
    assert {served_by(gateway) for _ in range(5)} == {"second"}
    first.next_part.release()
    assert response.read() == b"\ndata: 1\n\n"


def test_an_old_process_outlives_only_so_many_reloads(
    make_gateway: MakeGateway, first: Engine, second: Engine
) -> None:
    """However long its answers take: there is never a crowd of them."""
    gateway = make_gateway()
    gateway.limits = Limits(threads=2, reloads=2)
    gateway.set([endpoint(first, "qwen")])
    gateway.start()
    connection = gateway.connect()
    connection.request("POST", CHAT, json.dumps({"model": "qwen", "stream": 2}))
    first.next_part.release()
    response = connection.getresponse()
    assert response.readline() == b"data: 0\n"
    old = gateway.runtime.info().pid
    gateway.reload()
    assert alive(old)
    for _ in range(3):
        gateway.reload()
    assert eventually(lambda: not alive(old))
    assert served_by(gateway) == "first"


def test_no_connection_is_lost_over_reloads(
    pair: RunningGateway, first: Engine, second: Engine
) -> None:
    done, statuses = threading.Event(), []

    def client() -> None:
        while not done.is_set():
            statuses.append(pair.ask(CHAT, {"model": "qwen"}).status)

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client) for _ in range(4)]
        for number in range(5):
            engines = (first,) if number % 2 else (first, second)
            pair.set([endpoint(e, "qwen") for e in engines])
            pair.reload()
            enough = len(statuses) + 20
            assert eventually(lambda: len(statuses) > enough)  # noqa: B023
        done.set()
        for one in clients:
            one.result()
    assert set(statuses) == {200}


def test_a_broken_configuration_leaves_the_running_one(pair: RunningGateway, first: Engine) -> None:
    (pair.folder / "haproxy.cfg").write_text("nonsense\n")
    assert "nonsense" in pair.check()
    pair.reload_in_vain()
    assert pair.ask(CHAT, {"model": "qwen"}).status == 200


def test_all_but_the_servers_of_what_runs_is_known_by_its_digest(
    pair: RunningGateway, first: Engine
) -> None:
    before = pair.runtime.info().digest
    assert before in (pair.folder / "haproxy.cfg").read_text()
    pair.set([endpoint(first, "qwen")])
    assert before in (pair.folder / "haproxy.cfg").read_text()
    pair.set([endpoint(first, "qwen")], {"other": ("qwen",)})
    pair.reload()
    after = pair.runtime.info().digest
    assert after != before
    assert after in (pair.folder / "haproxy.cfg").read_text()
