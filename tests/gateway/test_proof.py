"""A gateway is proved as an engine is: by a real request through it."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import (
    CLIENT,
    CLIENT_KEY,
    PROOF_KEY,
    Local,
    RunningGateway,
    endpoint,
    tls_settings,
)
from tests.gateway.stub import PATIENCE, Engine
from tests.transport.eventually import eventually
from xgen_deploy.gateway.away import Away, away
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.routes import Route, Server
from xgen_deploy.state.stopped import Stopped
from xgen_deploy.verify.gateway_requests import GatewayRequests, changed_models, proved_text


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine("first")


def proved(
    gateway: RunningGateway,
    key: str | None = None,
    aside: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, str]:
    """Every model's outcome, and what the whole says."""
    secret = SecretText(key) if key else None
    aways = {model: Away(reason=why) for model, why in (aside or {}).items()}
    proof = GatewayRequests(Local(), gateway.spec, gateway.runtime, secret)  # type: ignore[arg-type]
    models = frozenset(r.model for r in gateway.spec.routes)
    found = proof.of(models, aways, **more)
    return {p.model: p.outcome for p in found} | {"": proved_text(found)}


def test_a_model_that_answers_is_good(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(engine, "q")])
    gateway.start()
    assert proved(gateway) == {"q": "answered", "": "1 model answers"}
    assert engine.seen[0]["path"] == "/v1/completions"


def test_tls_is_spoken_as_clients_do(
    make_gateway: MakeGateway, engine: Engine, folder: Path
) -> None:
    gateway = make_gateway(tls=tls_settings(folder))
    gateway.set([endpoint(engine, "q")])
    gateway.start()
    assert proved(gateway)["q"] == "answered"


@pytest.mark.parametrize(
    ("key", "outcome"),
    [(CLIENT, "answered"), (PROOF_KEY, "answered"), ("sk-other", "failed"), (None, "failed")],
)
def test_the_clients_key_and_the_gateways_own_are_taken(
    make_gateway: MakeGateway, engine: Engine, key: str | None, outcome: str
) -> None:
    gateway = make_gateway(api_key=CLIENT_KEY)
    gateway.set([endpoint(engine, "q")])
    gateway.start()
    found = proved(gateway, key)
    assert found["q"] == outcome
    if outcome == "failed":
        assert "HTTP 401" in found[""]
    assert not engine.seen or engine.seen[0]["authorization"] is None


def test_the_gateways_own_key_is_nowhere_but_in_its_file(
    make_gateway: MakeGateway, engine: Engine
) -> None:
    gateway = make_gateway(api_key=CLIENT_KEY)
    gateway.set([endpoint(engine, "q")])
    gateway.start()
    proved(gateway, PROOF_KEY)
    assert eventually(lambda: 'model="q"' in gateway.log())
    for text in (gateway.log(), *(f.read_text() for f in gateway.folder.glob("*.cfg"))):
        assert PROOF_KEY not in text


def test_no_server_up_is_not_good(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(engine, "q")])
    gateway.start()
    engine.close()
    assert eventually(lambda: not gateway.state("first").up)
    found = proved(gateway)
    assert found["q"] == "failed"
    assert "HTTP 503" in found[""]
    assert "0 of 1 servers up (here.first down" in found[""]
    assert proved(gateway, aside={"q": "gpu was not observed"}) == {
        "q": "left out",
        "": "no request to q: gpu was not observed",
    }
    assert proved(gateway, moving=True)["q"] == "left out"


def test_a_fallback_that_answers_is_good_and_said(
    make_gateway: MakeGateway, make_engine: MakeEngine, engine: Engine
) -> None:
    gateway = make_gateway()
    gateway.set(
        [endpoint(engine, "q"), endpoint(make_engine("second"), "small")], {"q": ("small",)}
    )
    gateway.start()
    engine.close()
    assert eventually(lambda: not gateway.state("first").up)
    assert proved(gateway)[""] == "1 model answers; q answers by fallback"


def test_a_model_is_asked_by_all_of_its_names(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway()
    gateway.set([endpoint(engine, "q", names=("gpt-4o", "law"))])
    gateway.start()
    assert proved(gateway) == {"q": "answered", "": "1 model answers"}
    assert [seen["model"] for seen in engine.seen] == ["q", "gpt-4o", "law"]
    engine.unknown.add("law")
    outcome = proved(gateway)
    assert outcome["q"] == "failed"
    assert outcome[""].startswith("a real request to q failed: as `law`: /v1/completions: HTTP 404")


def test_a_full_queue_is_busy_and_no_failure(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway(queue_timeout=0.2)
    gateway.set([endpoint(engine, "q", slots=1)])
    gateway.start()
    with ThreadPoolExecutor() as pool:
        held = pool.submit(gateway.ask, "/v1/completions", {"model": "q", "hold": True})
        assert engine.arrived.acquire(timeout=PATIENCE)
        assert proved(gateway)[""] == "q is busy: its queue is full"
        engine.release.set()
        assert held.result().status == 200


def test_an_answer_without_a_token_is_none(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway()
    one = endpoint(engine, "q", type="embedding")
    gateway.set([one])
    gateway.start()
    assert proved(gateway)["q"] == "failed"


def route(model: str, *places: str) -> Route:
    servers = (
        Server(name=p, host=p.split("/")[0], instance=p.split("/")[1], address="h", port=1, slots=1)
        for p in places
    )
    return Route(model=model, pool=model, servers=tuple(servers))


def test_models_whose_routes_changed_are_asked() -> None:
    last = GatewaySpec(port=1, routes=(route("a", "h/a"), route("b", "h/b")))
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
        "a": Away(reason="h/a was stopped on purpose"),
        "c": Away(reason="h/a was stopped on purpose; g was not observed"),
        "d": Away(reason="it has no instance yet"),
    }
    limited = away(routes, records, elsewhere={"g"})
    assert limited["c"] == Away(
        reason="h/a was stopped on purpose; g is outside --limit", excused=False
    )
