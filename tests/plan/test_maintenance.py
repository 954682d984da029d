"""`stop`, `start` and `restart` are planned: what they do, what they interrupt, what is refused."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.fleet import LAYOUT, Fleet, Place
from xgen_deploy.plan.maintenance import Maintaining
from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.gateway import GatewayRecord, GatewaySpec
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.routes import Route, Server

THREE: Place = {name: [{"model": "m", "gpus": [0]}] for name in "abc"}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    found = Fleet(tmp_path, dict.fromkeys("abc", "h100"))
    found.applied(found.plan(THREE).operations)
    return found


def gateway(fleet: Fleet, *hosts: str, instance: str = "m") -> None:
    """On `a`, which sends these hosts' instances their requests."""
    servers = tuple(
        Server(name=f"{h}.m", host=h, instance=instance, address=h, port=8001, slots=4)
        for h in hosts
    )
    spec = GatewaySpec(port=9000, routes=(Route(model="m", pool="m", servers=servers),))
    last = GatewayRecord(spec=spec, digest=spec.digest)
    fleet.records["a"] = fleet.records["a"].model_copy(update={"gateway": last})


def said(plan: Plan) -> dict[str, tuple[str, tuple[str, ...], bool]]:
    return {o.id: (o.action, o.needs, o.interrupts) for o in plan.operations}


def test_replicas_restart_batch_by_batch_so_that_one_is_always_there(fleet: Fleet) -> None:
    gateway(fleet, "a", "b", "c")
    assert said(fleet.maintained(THREE, "restart")) == {
        "a/m": ("restart", (), False),
        "b/m": ("restart", ("a/m",), False),
        "c/m": ("restart", ("b/m",), False),
    }


def test_without_a_gateway_each_restart_interrupts(fleet: Fleet) -> None:
    plan = fleet.maintained(THREE, "restart", "m")
    assert all(o.interrupts for o in plan.operations)
    assert "3 INTERRUPTIONS: a/m, b/m, c/m" in "\n".join(plan_text(plan, 0.0)).replace(
        "[bold]", ""
    ).replace("[/bold]", "")


def test_the_only_one_behind_a_gateway_is_an_interruption(fleet: Fleet) -> None:
    gateway(fleet, "a", "b", "c")
    for host in "bc":
        fleet.stopped(host, "m")
    plan = fleet.maintained(THREE, "restart")
    assert said(plan) == {"a/m": ("restart", (), True)}
    assert any("stays stopped: ops stopped it" in w for w in plan.hosts["b"].warnings)


def test_all_that_are_stopped_at_once_do_not_stand_in_for_each_other(fleet: Fleet) -> None:
    gateway(fleet, "a", "b", "c")
    assert all(interrupts for _, _, interrupts in said(fleet.maintained(THREE, "stop")).values())
    one = {"a": ("m",)}
    assert said(fleet.maintained(THREE, "stop", on=one)) == {"a/m": ("stop", (), False)}


def test_start_is_for_what_was_stopped(fleet: Fleet) -> None:
    fleet.stopped("b", "m")
    assert said(fleet.maintained(THREE, "start")) == {"b/m": ("start", (), False)}
    assert fleet.maintained(THREE, "stop").hosts["b"].operations == ()


@pytest.mark.parametrize(
    ("befalls", "reason"),
    [
        ({"instances": {}}, "never applied on this host; run `xgen-deploy apply`"),
        ({"pending": {"m": "d"}}, "an earlier apply began to change it"),
        ("edited", f"{LAYOUT.definition('m')} was edited by hand"),
    ],
)
def test_what_is_not_as_it_was_proved_is_refused(
    fleet: Fleet, befalls: dict[str, Any] | str, reason: str
) -> None:
    record = fleet.records["a"]
    if isinstance(befalls, str):
        fleet.edited.add("a")
    else:
        fleet.records["a"] = record.model_copy(update=befalls)
    plan = fleet.maintained(THREE, "restart")
    assert plan.forbidden
    assert reason in plan.refusals[0].reason


@pytest.mark.parametrize("action", ["stop", "start", "restart"])
def test_what_an_apply_did_not_finish_is_left_to_the_next_one(
    fleet: Fleet, action: Maintaining
) -> None:
    fleet.records["a"] = fleet.records["a"].model_copy(update={"pending": {"m": "d"}})
    plan = fleet.maintained(THREE, action)
    assert plan.forbidden
    assert "run `xgen-deploy apply`" in plan.refusals[0].reason
