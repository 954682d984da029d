"""A plan without operations says what holds, what waits, and why nothing is done."""

import pytest

from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.plan import Against, HostPlan, Kind, Operation, Plan


def plan(*hosts: HostPlan, against: Against = "manifest") -> Plan:
    return Plan(
        project="p",
        manifest_file="m.yaml",
        manifest_digest="d",
        hosts={h.host: h for h in hosts},
        against=against,
    )


def said(planned: Plan) -> str:
    return "\n".join(plan_text(planned, 0.1))


@pytest.mark.parametrize(
    ("host", "against", "says"),
    [
        (
            HostPlan(host="a", unchanged=("q",)),
            "manifest",
            "1 instance on 1 host is as m.yaml says",
        ),
        (
            HostPlan(host="a", unchanged=("q", "r"), stopped=("r",)),
            "manifest",
            "nothing is done now: 1 instance on 1 host is as m.yaml says; r stays stopped (",
        ),
        (
            HostPlan(host="a", unchanged=("q",), stopped=("q",), waiting=("q",)),
            "manifest",
            "nothing is done now: q stays stopped, its changes wait until it is started (",
        ),
        (
            HostPlan(host="a", stopped=("gateway",)),
            "manifest",
            "nothing is done now: gateway stays stopped (",
        ),
        (HostPlan(host="a", held=("q",)), "manifest", "q is not changed yet"),
        (
            HostPlan(host="a", unchanged=("q", "r")),
            "record",
            "2 instances on 1 host are as they were last applied",
        ),
        (HostPlan(host="a"), "nothing", "nothing to do: nothing of the project is left on 1 host"),
        (HostPlan(host="a", unchanged=("q",)), "stop", "nothing is left to stop"),
        (HostPlan(host="a", left=True), "nothing", "what else is left of the project"),
    ],
)
def test_what_is_said_where_nothing_is_done(host: HostPlan, against: Against, says: str) -> None:
    assert says in said(plan(host, against=against))


def operation(host: str, name: str, kind: Kind) -> Operation:
    return Operation(
        id=f"{host}/{name}", host=host, name=name, kind=kind, cause="x", interrupts=True
    )


def test_every_interruption_is_counted_and_named() -> None:
    both = (operation("a", "p", Kind.REMOVE), operation("a", "q", Kind.UPDATE))
    assert "2 INTERRUPTIONS[/bold]: p, q. " in said(plan(HostPlan(host="a", operations=both)))


def test_over_several_hosts_each_is_named_with_its_own() -> None:
    hosts = [HostPlan(host=h, operations=(operation(h, "q", Kind.REMOVE),)) for h in "ab"]
    assert "2 INTERRUPTIONS[/bold]: a/q, b/q. " in said(plan(*hosts))
