"""A host that something is refused for forbids the whole apply, unless one leaves it out."""

from pathlib import Path

from tests.plan.fleet import Fleet, Place
from xgen_deploy.plan.text import plan_text

PLACE: Place = {"a": [{"model": "q", "gpus": []}], "b": [{"model": "q", "gpus": [3]}]}


def test_hosts_with_refusals_are_left_out_and_the_others_are_done(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "cpu", "b": "cpu"})
    whole = fleet.plan(PLACE)
    assert whole.forbidden
    plan = fleet.plan(PLACE, skip_refused=True)
    assert [o.id for o in plan.operations] == ["a/q"]
    assert (plan.forbidden, plan.left_out) == (False, ("b",))
    assert plan.refusals == whole.refusals
    said = "\n".join(plan_text(plan, 0.0, applying=True))
    assert "refused" in said
    assert "Refused and left out: b." in said
