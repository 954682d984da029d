"""Servers come, go and change in a gateway that runs, with no reload."""

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import (
    CLIENT,
    CLIENT_KEY,
    ENGINE,
    ENGINE_KEY,
    RunningGateway,
    endpoint,
)
from tests.gateway.stub import Engine
from tests.transport.eventually import eventually
from xgen_deploy.apply.gateway_servers import ServersAlone
from xgen_deploy.gateway.config import digest_in
from xgen_deploy.gateway.server_changes import NeedsReload, takes_servers
from xgen_deploy.state.endpoint import Endpoint

CHAT = "/v1/chat/completions"
KEYED = {"Authorization": f"Bearer {CLIENT}"}


def follow(
    gateway: RunningGateway,
    instances: list[Endpoint],
    variables: dict[str, str] | None = None,
    *,
    moving: bool = False,
    **more: Any,
) -> bool:
    gateway.set(instances, **more)
    change = ServersAlone(gateway.runtime, gateway.spec, variables or {}, moving=moving)
    return change.follow(digest_in((gateway.folder / "haproxy.cfg").read_text()))


def keeps_its_process(gateway: RunningGateway, act: Callable[[], object]) -> None:
    before = gateway.runtime.info().pid
    act()
    assert gateway.runtime.info().pid == before


@pytest.fixture
def engines(make_engine: MakeEngine) -> list[Engine]:
    return [make_engine(name) for name in ("first", "second", "third")]


@pytest.fixture
def gateway(make_gateway: MakeGateway, engines: list[Engine]) -> RunningGateway:
    made = make_gateway()
    made.set([endpoint(engines[0], "qwen")])
    made.start()
    return made


def asked(gateway: RunningGateway, times: int = 12) -> set[str]:
    """Who answers, by many at once."""

    def ask(_: int) -> str:
        answer = gateway.ask(CHAT, {"model": "qwen"})
        return str(answer.json["served_by"]) if answer.status == 200 else str(answer.status)

    with ThreadPoolExecutor(6) as pool:
        return set(pool.map(ask, range(times)))


def test_a_server_that_comes_is_asked_once_its_check_has_passed(
    gateway: RunningGateway, engines: list[Engine]
) -> None:
    first, second, _ = engines
    second.healthy = False
    both = [endpoint(first, "qwen"), endpoint(second, "qwen", slots=3)]
    keeps_its_process(gateway, lambda: follow(gateway, both))
    assert asked(gateway) == {"first"}
    assert not gateway.state("second").up
    second.healthy = True
    assert gateway.runtime.wait_up("here.second", 20)
    assert eventually(lambda: "second" in asked(gateway))
    assert gateway.state("second").limit == 3


def test_one_that_goes_is_taken_away_once_it_is_idle(
    gateway: RunningGateway, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = engines
    alone = [endpoint(second, "qwen")]
    assert follow(gateway, [endpoint(first, "qwen"), *alone])
    assert gateway.runtime.wait_up("here.second", 20)
    gateway.runtime.drain("here.second")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(gateway.ask, CHAT, {"model": "qwen", "hold": True})
        assert eventually(lambda: bool(first.seen))
        gateway.runtime.enable("here.second")
        monkeypatch.setattr("xgen_deploy.apply.gateway_servers._IDLE", 0.3)
        with pytest.raises(NeedsReload, match=r"requests on qwen/here\.first go on"):
            follow(gateway, alone)
        assert asked(gateway) == {"second"}
        first.release.set()
        assert held.result().status == 200
    keeps_its_process(gateway, lambda: follow(gateway, alone))
    assert [s.name for s in gateway.runtime.servers()] == ["here.second"]


def test_the_last_one_that_answers_is_not_taken_away_by_itself(
    gateway: RunningGateway, engines: list[Engine]
) -> None:
    """What waits for it would wait in vain; after a reload the old process serves that."""
    engines[1].close()
    with pytest.raises(NeedsReload, match="no other server of qwen is up"):
        follow(gateway, [endpoint(engines[1], "qwen")])
    assert asked(gateway) == {"first"}


def test_another_address_and_limit(gateway: RunningGateway, engines: list[Engine]) -> None:
    first, second, _ = engines
    moved = endpoint(first, "qwen", port=second.port, slots=7)
    keeps_its_process(gateway, lambda: follow(gateway, [moved]))
    assert asked(gateway) == {"second"}
    assert (gateway.state("first").port, gateway.state("first").limit) == (second.port, 7)


def test_nothing_is_lost_under_load(gateway: RunningGateway, engines: list[Engine]) -> None:
    """Nor by reloads of a process to which servers came and from which they went, while answers of
    it are under way; each finds the servers that were told."""
    done, statuses = threading.Event(), []

    def client() -> None:
        while not done.is_set():
            statuses.append(gateway.ask(CHAT, {"model": "qwen"}).status)

    def more() -> None:
        enough = len(statuses) + 20
        assert eventually(lambda: len(statuses) > enough)

    def change(number: int) -> None:
        served = [e for n, e in enumerate(engines) if n != number % 3]
        assert follow(gateway, [endpoint(e, "qwen", slots=4 + number) for e in served])
        more()

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(client) for _ in range(4)]
        try:
            for number in range(9):
                keeps_its_process(gateway, partial(change, number))
                if number % 3 == 2:
                    shown = places(gateway)
                    gateway.reload()
                    assert places(gateway) == shown
                    more()
        finally:
            done.set()
        for one in clients:
            one.result()
    assert set(statuses) == {200}
    ended = re.findall(r"ormer worker \([0-9]+\) exited with code ([0-9]+)", gateway.log())
    assert set(ended) == {"0"}


def places(gateway: RunningGateway) -> set[tuple[object, ...]]:
    return {(s.pool, s.name, s.address, s.port, s.limit) for s in gateway.runtime.servers()}


def test_what_a_killed_apply_left_is_finished(
    gateway: RunningGateway, engines: list[Engine]
) -> None:
    """One server came and was not opened, one was to go."""
    first, second, third = engines
    gateway.runtime.ask(f"add server qwen/here.second 127.0.0.1:{second.port} check maxconn 1")
    gateway.runtime.ask(f"add server qwen/here.third 127.0.0.1:{third.port} check maxconn 1")
    both = [endpoint(first, "qwen"), endpoint(second, "qwen")]
    keeps_its_process(gateway, lambda: follow(gateway, both))
    assert gateway.runtime.wait_up("here.second", 20)
    assert {s.name for s in gateway.runtime.servers()} == {"here.first", "here.second"}


def test_what_is_drained_stays_so_while_requests_move(
    gateway: RunningGateway, engines: list[Engine]
) -> None:
    both = [endpoint(e, "qwen") for e in engines[:2]]
    gateway.runtime.drain("here.first")
    assert follow(gateway, both, moving=True)
    assert gateway.state("first").draining
    assert follow(gateway, both)
    assert gateway.state("first").up


def test_more_than_servers_needs_a_reload(gateway: RunningGateway, engines: list[Engine]) -> None:
    first, second, _ = engines
    assert not follow(gateway, [endpoint(first, "qwen"), endpoint(second, "gemma")])
    named = [endpoint(first, "qwen", names=("gpt-4o",))]
    assert not follow(gateway, named)
    assert not follow(gateway, [endpoint(first, "qwen")], fallback={"qwen": (), "gemma": ()})
    other = make_unlike(first)
    assert not follow(gateway, [endpoint(first, "qwen"), other])


def make_unlike(engine: Engine) -> Endpoint:
    """Checked in another way than the pool's others."""
    return endpoint(engine, "qwen", instance="other", health_path="/v1/health")


def test_another_key_needs_a_reload(make_gateway: MakeGateway, engines: list[Engine]) -> None:
    """The process is asked which it has; an apply may have written others and died."""
    gateway = make_gateway(api_key=CLIENT_KEY)
    first = endpoint(engines[0], "qwen", api_key=ENGINE_KEY)
    gateway.set([first])
    gateway.start()
    more = [first, endpoint(engines[1], "qwen", api_key=ENGINE_KEY)]
    assert not follow(gateway, more, {"XGEN_KEY_0": "sk-new"})
    assert follow(gateway, more, {"XGEN_KEY_0": ENGINE})
    assert gateway.runtime.wait_up("here.second", 20)
    answer = gateway.ask(CHAT, {"model": "qwen"}, headers=KEYED)
    assert answer.json["authorization"] == f"Bearer {ENGINE}"


def test_a_name_is_looked_up_by_a_reload_alone(
    make_gateway: MakeGateway, engines: list[Engine]
) -> None:
    first, second, _ = engines
    gateway = make_gateway()
    named = endpoint(first, "qwen", listen="localhost")
    gateway.set([named])
    gateway.start()
    assert follow(gateway, [named, endpoint(second, "qwen")])
    with pytest.raises(NeedsReload, match="is a name"):
        follow(
            gateway,
            [named, endpoint(second, "qwen"), endpoint(engines[2], "qwen", listen="localhost")],
        )
    with pytest.raises(NeedsReload, match="is, or was, a name"):
        follow(gateway, [endpoint(first, "qwen"), endpoint(second, "qwen")])
    moved = endpoint(first, "qwen", listen="localhost", port=second.port)
    keeps_its_process(gateway, lambda: follow(gateway, [moved, endpoint(second, "qwen")]))
    assert asked(gateway) == {"second"}


def test_a_refused_command_is_told(
    gateway: RunningGateway, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = gateway.runtime.ask

    def refuse(command: str) -> str:
        return "out of memory\n" if command.startswith("add server") else ask(command)

    monkeypatch.setattr(gateway.runtime, "ask", refuse)
    with pytest.raises(NeedsReload, match=r"did not take the change .out of memory"):
        follow(gateway, [endpoint(e, "qwen") for e in engines])


@pytest.mark.parametrize(
    ("version", "takes"),
    [
        ("2.4.22", False),
        ("2.5.14", False),
        ("2.6.12-1+deb12u4", True),
        ("3.2.1", True),
        ("", False),
    ],
)
def test_from_which_haproxy_on(version: str, takes: bool) -> None:
    assert takes_servers(version) is takes
