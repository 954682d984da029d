"""A gateway is proved as an engine is: by a real request through it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import MakeDoor, MakeEngine
from tests.gateway.door import CLIENT, CLIENT_KEY, PROOF_KEY, Door, Local, serving, tls_settings
from tests.gateway.stub import Engine
from tests.transport.eventually import eventually
from xgen_deploy.gateway.away import away
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import DoorSpec
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.record import InstanceRecord, Record, Stopped
from xgen_deploy.state.routes import Route, Server
from xgen_deploy.verify.gateway_requests import Proof, changed_models, proved_text


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine("first")


def proved(
    door: Door, key: str | None = None, aside: Mapping[str, str] | None = None, **more: Any
) -> dict[str, str]:
    """Every model's outcome, and what the whole says."""
    secret = SecretText(key) if key else None
    proof = Proof(Local(), door.spec, door.runtime, secret)  # type: ignore[arg-type]
    models = frozenset(r.model for r in door.spec.routes)
    found = proof.of(models, aside or {}, **more)
    return {p.model: p.outcome for p in found} | {"": proved_text(found)}


def test_a_model_that_answers_is_good(make_door: MakeDoor, engine: Engine) -> None:
    door = make_door()
    door.set([serving(engine, "q")])
    door.start()
    assert proved(door) == {"q": "answered", "": "1 model answers"}
    assert engine.seen[0]["path"] == "/v1/completions"


def test_tls_is_spoken_as_clients_do(make_door: MakeDoor, engine: Engine, folder: Path) -> None:
    door = make_door(tls=tls_settings(folder))
    door.set([serving(engine, "q")])
    door.start()
    assert proved(door)["q"] == "answered"


@pytest.mark.parametrize(
    ("key", "outcome"),
    [(CLIENT, "answered"), (PROOF_KEY, "answered"), ("sk-other", "failed"), (None, "failed")],
)
def test_the_clients_key_and_the_gateways_own_are_taken(
    make_door: MakeDoor, engine: Engine, key: str | None, outcome: str
) -> None:
    door = make_door(api_key=CLIENT_KEY)
    door.set([serving(engine, "q")])
    door.start()
    found = proved(door, key)
    assert found["q"] == outcome
    if outcome == "failed":
        assert "HTTP 401" in found[""]
    assert not engine.seen or engine.seen[0]["authorization"] is None


def test_the_gateways_own_key_is_nowhere_but_in_its_file(
    make_door: MakeDoor, engine: Engine
) -> None:
    door = make_door(api_key=CLIENT_KEY)
    door.set([serving(engine, "q")])
    door.start()
    proved(door, PROOF_KEY)
    assert eventually(lambda: 'model="q"' in door.log())
    for text in (door.log(), *(f.read_text() for f in door.folder.glob("*.cfg"))):
        assert PROOF_KEY not in text


def test_no_server_up_is_not_good(make_door: MakeDoor, engine: Engine) -> None:
    door = make_door()
    door.set([serving(engine, "q")])
    door.start()
    engine.close()
    assert eventually(lambda: not door.state("first").up)
    found = proved(door)
    assert found["q"] == "failed"
    assert "HTTP 503" in found[""]
    assert "0 of 1 servers up (here.first down" in found[""]
    assert proved(door, aside={"q": "gpu was not looked at"}) == {
        "q": "left out",
        "": "q was not asked: gpu was not looked at",
    }
    assert proved(door, moving=True)["q"] == "left out"


def test_a_fallback_that_answers_is_good_and_said(
    make_door: MakeDoor, make_engine: MakeEngine, engine: Engine
) -> None:
    door = make_door()
    door.set([serving(engine, "q"), serving(make_engine("second"), "small")], {"q": ("small",)})
    door.start()
    engine.close()
    assert eventually(lambda: not door.state("first").up)
    assert proved(door)[""] == "1 model answers; q answers by fallback"


def test_a_full_queue_is_busy_and_no_failure(make_door: MakeDoor, engine: Engine) -> None:
    door = make_door(queue_timeout=0.2)
    door.set([serving(engine, "q", slots=1)])
    door.start()
    with ThreadPoolExecutor() as pool:
        held = pool.submit(door.ask, "/v1/completions", {"model": "q", "hold": True})
        assert engine.arrived.acquire(timeout=20)
        assert proved(door)[""] == "q is busy, its queue is full"
        engine.release.set()
        assert held.result().status == 200


def test_an_answer_without_a_token_is_none(make_door: MakeDoor, engine: Engine) -> None:
    door = make_door()
    one = serving(engine, "q", type="embedding")
    door.set([one])
    door.start()
    assert proved(door)["q"] == "failed"


def route(model: str, *places: str) -> Route:
    servers = (
        Server(name=p, host=p.split("/")[0], instance=p.split("/")[1], address="h", port=1, slots=1)
        for p in places
    )
    return Route(model=model, pool=model, servers=tuple(servers))


def test_models_whose_routes_changed_are_asked() -> None:
    last = DoorSpec(port=1, routes=(route("a", "h/a"), route("b", "h/b")))
    more = last.model_copy(update={"routes": (route("a", "h/a"), route("b", "h/b", "g/b"))})
    every = {"a", "b"}
    assert changed_models(last, None) == every
    assert changed_models(more, last) == {"b"}
    assert changed_models(last, last) == every
    assert changed_models(more.model_copy(update={"port": 2}), last) == every


def test_what_was_stopped_on_purpose_or_not_looked_at_need_not_answer() -> None:
    spec = Spec(
        model="a", backend="llama-server-cpu", runtime="systemd", source="/m", model_path="/m",
        n_ctx=1, port=1,
    )  # fmt: skip
    stopped = InstanceRecord(spec=spec, digest="d", stopped=Stopped(by="kim", at=0))
    runs = InstanceRecord(spec=spec, digest="d")
    records = {"h": Record(project="p", instances={"a": stopped, "b": runs})}
    routes = (route("a", "h/a"), route("b", "h/a", "h/b"), route("c", "h/a", "g/c"), route("d"))
    assert away(routes, records) == {
        "a": "h/a was stopped on purpose",
        "c": "h/a was stopped on purpose; g was not looked at",
        "d": "no instance of it is known yet",
    }
