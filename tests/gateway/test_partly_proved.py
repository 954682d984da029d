"""One model that does not answer through a changed gateway costs the others nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from xgen_deploy.apply import gateway_change as gateways
from xgen_deploy.apply.gateway import GatewayFailed
from xgen_deploy.errors import XgenError
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec
from xgen_deploy.state.routes import Route, Server, partly_proved


def route(model: str, port: int) -> Route:
    server = Server(
        name=f"h.{model}", host="h", instance=model, address="127.0.0.1", port=port, slots=1
    )
    return Route(model=model, pool=model, servers=(server,))


BEFORE = (route("a", 8001), route("b", 8002))
AFTER = (route("a", 8011), route("b", 8012), route("c", 8013))


@pytest.mark.parametrize(
    ("unproved", "ports"),
    [
        ({"b"}, {"a": 8011, "b": 8002, "c": 8013}),
        ({"c"}, {"a": 8011, "b": 8012}),
        ({"a", "b", "c"}, {"a": 8001, "b": 8002}),
    ],
)
def test_who_answered_has_the_new_route_and_who_did_not_the_one_from_before(
    unproved: set[str], ports: dict[str, int]
) -> None:
    routes = partly_proved(AFTER, BEFORE, unproved)
    assert {r.model: r.servers[0].port for r in routes} == ports


class Changing:
    """The last step of an apply: `opened` are the ports that the gateway was asked to serve."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: XgenError) -> None:
        self.opened: list[list[int]] = []
        self.failures = list(failures)
        last = GatewaySpec(port=9000, routes=BEFORE)
        record = SimpleNamespace(gateway=GatewayRecord(spec=last, digest=last.digest))
        self.work: Any = SimpleNamespace(record=record)
        monkeypatch.setattr(gateways, "open_gateway", self.open_gateway)

    def open_gateway(self, _work: object, spec: GatewaySpec, *_: object, **__: object) -> str:
        self.opened.append([s.port for s in spec.servers])
        if self.failures:
            raise self.failures.pop(0)
        return "serves"

    def ending(self, error: GatewayFailed) -> str:
        spec = GatewaySpec(port=9000, routes=AFTER)
        return gateways._without_unproved(self.work, spec, error, 2, {})


def failed(*models: str) -> GatewayFailed:
    return GatewayFailed("a real request failed. The previous one serves", (), frozenset(models))


def test_the_gateway_is_opened_again_for_those_that_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changing = Changing(monkeypatch)
    assert "keep their new routes" in changing.ending(failed("b"))
    assert changing.opened == [[8011, 8002, 8013]]


def test_a_second_failure_is_told_and_is_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    changing = Changing(monkeypatch, failed("a"))
    assert "could not be applied" in changing.ending(failed("b"))
    assert len(changing.opened) == 1


@pytest.mark.parametrize("error", [failed(), failed("a", "b", "c")])
def test_where_nothing_would_be_gained_it_is_left(
    monkeypatch: pytest.MonkeyPatch, error: GatewayFailed
) -> None:
    changing = Changing(monkeypatch)
    assert changing.ending(error) == str(error)
    assert changing.opened == []
