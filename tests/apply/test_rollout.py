"""A change of many hosts goes in the manifest's order: a canary first, then so many at a time, and
the first failure keeps the rest as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UnreachableError

NAMES = ("a", "b", "c", "d")
NEW = "--ctx-size 8192"


@dataclass(frozen=True)
class Case:
    """`bad` is where the new version fails; `new` the hosts that have it in the end."""

    about: str
    update: dict[str, Any]
    bad: str = ""
    new: tuple[str, ...] = NAMES
    lost: str = ""
    left: tuple[str, ...] = ()


CASES = (
    Case("all are good", {}),
    Case("the canary fails", {}, bad="a", new=(), left=("b", "c", "d")),
    Case("the second fails", {}, bad="b", new=("a",), left=("c", "d")),
    Case("two at a time", {"max_unavailable": 2}, bad="b", new=("a", "c"), left=("d",)),
    Case("all at once", {"max_unavailable": 4, "canary": 0}, bad="a", new=("b", "c", "d")),
    Case("two canaries", {"max_unavailable": 4, "canary": 2}, bad="b", new=("a",), left=("c", "d")),
    Case("the canary's host is lost", {}, lost="a", new=(), left=("b", "c", "d")),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.about)
def test_a_failure_stops_the_rest(case: Case, make_site: MakeSite) -> None:
    site = fleet(make_site)
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096, update=case.update))
    if case.bad:
        site.hosts[case.bad].engines[NEW] = Engine(dies="at once")
    if case.lost:
        site.hosts[case.lost].before = _lost_at_the_restart
    ran = site.run("apply", "-y")
    assert ran.code == (0 if case.new == NAMES else 1), ran.said
    contexts = {n: [p.context for p in site.hosts[n].running()] for n in NAMES}
    assert contexts == {n: [4096 if n in case.new else 2048] for n in NAMES}
    for name in case.left:
        assert f"{name}/q  not started, because" in ran.said.replace("   ", "  "), ran.said
    for host in site.hosts.values():
        host.engines.clear()
        host.before = lambda *_: None
    site.apply()
    assert {p.context for n in NAMES for p in site.hosts[n].running()} == {4096}
    assert site.pending_operations() == []


def _lost_at_the_restart(argv: tuple[str, ...], _: str) -> None:
    if argv[:2] == ("systemctl", "restart"):
        raise UnreachableError("a", "the connection was lost")


def fleet(make_site: MakeSite) -> FakeSite:
    site = make_site(
        dict.fromkeys(NAMES, "cpu"), models={"q": MODEL}, hosts={n: [q()] for n in NAMES}
    )
    site.apply()
    site.forget()
    return site


def test_a_host_that_cannot_be_reached_costs_the_others_nothing(make_site: MakeSite) -> None:
    site = fleet(make_site)
    site.hosts["b"].unreachable = "no route to it"
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    said = site.apply(code=4)
    assert "no route to it" in said
    assert [p.context for n in ("a", "c", "d") for p in site.hosts[n].running()] == [4096] * 3
    site.hosts["b"].unreachable = ""
    assert site.pending_operations() == ["b/q update"]


def test_a_model_goes_only_once_it_runs_on_its_new_host(make_site: MakeSite) -> None:
    site = fleet(make_site)
    site.change(lambda m: m["hosts"].update(a=[], b=[], c=[]))
    site.apply()
    site.change(lambda m: m["hosts"].update(a=[q(n_ctx=4096)], d=[]))
    site.hosts["a"].engines[NEW] = Engine(health=503)
    site.apply(code=1)
    assert [p.context for p in site.hosts["d"].running()] == [2048]
    site.hosts["a"].engines.clear()
    site.apply()
    assert (site.hosts["d"].running(), len(site.hosts["a"].running())) == ([], 1)
