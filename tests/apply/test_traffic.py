"""Requests while instances change: drained before a stop, moved to the new one, no key too late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import SECRETS, FakeSite, Manifest

NEW = "--ctx-size 8192"
KEYED = {**MODEL, "api_key": {"env": "ENGINE_KEY"}}


@pytest.fixture
def pair(make_site: MakeSite) -> FakeSite:
    """The model on two hosts behind the gateway of a third, applied."""
    site = make_site(
        {"g": "cpu", "h": "cpu", "i": "cpu"},
        models={"q": KEYED},
        gateway=GATEWAY,
        hosts={"h": [q()], "i": [q()]},
    )
    for host in site.hosts.values():
        host.memory_free_mb = 10_000
    site.apply()
    site.forget()
    return site


def ask(site: FakeSite, key: str = "sk-client") -> int:
    """How a client's request ends."""
    gateway = site.hosts["g"].haproxy
    return gateway.request(b'{"model": "q"}', key).status if gateway else 0


def at(calls: list[str], part: str) -> int:
    return next(n for n, call in enumerate(calls) if part in call)


@dataclass(frozen=True)
class Drain:
    """`gateway` counts the requests that HAProxy has under way, `engine` those that the engine
    tells of; it `takes` at least so many seconds, and no more than ten beyond that."""

    about: str
    takes: float
    gateway: list[int] = field(default_factory=list)
    engine: tuple[int, ...] | None = None
    update: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    "case",
    [
        Drain("nothing is under way", 0.0),
        Drain("HAProxy has some for a while", 1.0, gateway=[2] * 20),
        Drain("HAProxy has one for ever", 60.0, gateway=[1] * 10_000),
        Drain("the engine has one for ever", 60.0, engine=(1,) * 10_000),
        Drain("the engine has some for a while", 2.0, engine=(3,) * 10),
        Drain("the manifest gives it longer", 90.0, engine=(1,) * 10_000, update={"drain": "90s"}),
        Drain("the manifest gives it less", 5.0, gateway=[1] * 10_000, update={"drain": "5s"}),
    ],
    ids=lambda c: c.about,
)
def test_requests_under_way_get_time_to_end(case: Drain, gateway_site: FakeSite) -> None:
    site, host = gateway_site, gateway_site.hosts["h"]
    gateway = site.hosts["g"].haproxy
    assert gateway is not None
    gateway.under_way = list(case.gateway)
    for engine in host.running():
        engine.tell_active(case.engine)
    if case.update:
        site.change(lambda m: m["models"]["q"].update(update=case.update))
    stopped = 0.0

    def note(argv: tuple[str, ...], _: str) -> None:
        nonlocal stopped
        if "--now" in argv:
            stopped = site.clock.skipped

    host.before = note
    began = site.clock.skipped
    ran = site.run("stop", "q", "-y")
    assert ran.code == 0, ran.said
    assert case.takes - 0.1 <= stopped - began <= case.takes + 10


@pytest.mark.parametrize("command", ["restart", "stop", "apply"])
def test_it_is_drained_before_it_stops_and_only_then(command: str, pair: FakeSite) -> None:
    pair.change(lambda m: m["models"]["q"].update(update={"strategy": "stop-first"}))
    if command == "apply":
        pair.change(lambda m: m["hosts"]["h"][0].update(n_ctx=4096))
    states, answers = [], []

    def note(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] == ("systemctl", "restart") or "--now" in argv:
            states.append(pair.hosts["g"].server_states["q/h.q"])
        answers.append(ask(pair))

    pair.hosts["h"].before = note
    ran = pair.run(command, *(() if command == "apply" else ("q",)), "-y")
    assert ran.code == 0, ran.said
    assert states == ["drain"]
    assert command == "stop" or set(answers) == {200}
    assert not pair.hosts["g"].systemd.guards


def test_start_first_moves_requests_before_the_old_one_stops(pair: FakeSite) -> None:
    pair.change(lambda m: m["hosts"].update(i=[]))
    pair.apply()
    pair.change(lambda m: m["models"]["q"].update(n_ctx=4096, update={"strategy": "start-first"}))
    answers = []
    pair.hosts["h"].before = lambda *_: answers.append(ask(pair))
    said = pair.apply()
    assert "requests go to port 8002 now" in said
    assert set(answers) == {200}
    assert [p.context for p in pair.hosts["h"].running()] == [4096]
    assert pair.record("h")["instances"]["q"]["slot"] == ".b"
    assert pair.pending_operations() == []


def test_start_first_that_fails_costs_nothing(pair: FakeSite) -> None:
    pair.hosts["h"].engines[NEW] = Engine(health=503)
    pair.change(lambda m: m["hosts"]["h"][0].update(n_ctx=4096, update={"strategy": "start-first"}))
    answers = []
    pair.hosts["h"].before = lambda *_: answers.append(ask(pair))
    said = pair.apply(code=1)
    assert "The one that runs was left as it is, and serves on" in said
    assert set(answers) == {200}
    assert [p.port for p in pair.hosts["h"].running()] == [8001]


def test_a_gateway_that_finds_the_new_one_ill_leaves_the_old_one(pair: FakeSite) -> None:
    """Its own check of the new server fails, though the host's own request was answered."""
    gateway = pair.hosts["g"]
    real = gateway._reach

    def reach(address: str, port: int, method: str, key: str | None) -> object:
        return real(address, 9999 if port == 8002 else port, method, key)

    gateway._reach = reach  # type: ignore[assignment,method-assign]
    pair.change(lambda m: m["hosts"]["h"][0].update(n_ctx=4096, update={"strategy": "start-first"}))
    said = pair.apply(code=1)
    assert "did not find it healthy in 30 s" in said
    assert [p.port for p in pair.hosts["h"].running()] == [8001]
    assert ask(pair) == 200


@dataclass(frozen=True)
class Lost:
    """What cannot be done without the gateway, whose host is lost once the plan was shown."""

    about: str
    change: Callable[[Manifest], object]
    said: str


@pytest.mark.parametrize(
    "case",
    [
        Lost(
            "another port",
            lambda m: m["models"]["q"].update(n_ctx=4096, update={"strategy": "start-first"}),
            "its host g was lost, and it sends requests to h/q",
        ),
        Lost(
            "another key",
            lambda m: m["models"]["q"].update(api_key={"env": "OTHER_KEY"}),
            "its host g was lost, and it sends requests to h/q",
        ),
        Lost(
            "another host",
            lambda m: m["hosts"].update(h=[], j=[q()]),
            "its host g was lost, and it sends requests to h/q",
        ),
    ],
    ids=lambda c: c.about,
)
def test_nothing_moves_away_from_a_gateway_that_was_lost(case: Lost, make_site: MakeSite) -> None:
    site = make_site({"g": "cpu", "h": "cpu", "j": "cpu"}, models={"q": KEYED}, gateway=GATEWAY)
    site.hosts["h"].memory_free_mb = 10_000
    site.apply()
    site.forget()
    site.change(case.change)
    site.hosts["g"].lost_at = at(site_calls(site), "lock") + 1
    said = site.run("apply", "-y").said
    assert case.said in said, said
    assert ask(site) == 200
    site.hosts["g"].lost_at = 0
    site.apply()
    assert ask(site) == 200
    assert site.pending_operations() == []


def site_calls(site: FakeSite) -> list[str]:
    """Those of an apply on the gateway's host."""
    before = site.saved()
    site.apply()
    calls = site.hosts["g"].calls
    site.restore(before)
    return calls


@pytest.mark.parametrize("shared", [True, False], ids=["one model", "its only instance"])
def test_a_new_key_reaches_gateway_and_engines(shared: bool, pair: FakeSite) -> None:
    """While it changes, each engine is asked with the key that it has."""
    if not shared:
        pair.change(lambda m: m["hosts"].update(i=[]))
        pair.apply()
    pair.change(lambda m: m["models"]["q"].update(api_key={"env": "OTHER_KEY"}))
    answers = []

    def note(*_: object) -> None:
        answers.append(ask(pair))

    for host in pair.hosts.values():
        host.before = note
    said = pair.apply()
    if shared:
        assert set(answers) == {200}, said
    assert {p.key for h in ("h", "i") for p in pair.hosts[h].running()} == {SECRETS["OTHER_KEY"]}
    assert ask(pair) == 200
    assert pair.pending_operations() == []


def test_another_value_of_a_key_is_delivered(
    pair: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_KEY", "sk-another")
    said = pair.apply()
    assert "the value of its secret changed" in said
    assert {p.key for h in ("h", "i") for p in pair.hosts[h].running()} == {"sk-another"}
    assert ask(pair) == 200


def test_another_client_key_is_what_the_gateway_asks_for(pair: FakeSite) -> None:
    pair.change(lambda m: m["gateway"].update(api_key={"env": "OTHER_KEY"}))
    pair.apply()
    assert (ask(pair), ask(pair, "sk-other")) == (401, 200)
