"""Hosts with the same changes share them in the plan for people."""

from pathlib import Path

import pytest
from rich.text import Text

from tests.plan.fleet import MODEL, Fleet, Place
from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.plan import Plan

KINDS = {"a": "h100", "b": "h100", "c": "h100", "d": "cpu"}
PLACE = {name: [{"model": "q"}] for name in KINDS}
NEW = {"q": {**MODEL, "n_ctx": 8192}}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path, KINDS)


@pytest.fixture
def applied(fleet: Fleet) -> Fleet:
    fleet.applied(fleet.plan(PLACE).operations)
    return fleet


def shown(plan: Plan, *, verbose: bool = False) -> str:
    return "\n".join(Text.from_markup(line).plain for line in plan_text(plan, 0.1, verbose=verbose))


def test_equal_hosts_share_their_changes(fleet: Fleet) -> None:
    text = shown(fleet.plan(PLACE))
    assert "\na, b, c  3 hosts, each NVIDIA H100 79.6 GiB\n  + create  q  llama-server-cuda" in text
    assert "\nd  no GPU" in text, "another machine stands alone"
    assert text.count("+ create") == 2
    assert "4 create, 0 update" in text, "the counts are of all"


def test_an_update_says_in_which_order_they_change(applied: Fleet) -> None:
    text = shown(applied.plan(PLACE, models=NEW))
    assert text.count("~ update") == 2
    assert text.count("n_ctx  4096 -> 8192") == 2
    assert "      first a, then b, then c\n" in text
    assert "      after c/q\n" in text, "the other group waits for this one"


def test_hosts_that_change_at_once_are_one_turn(applied: Fleet) -> None:
    models = {"q": {**NEW["q"], "update": {"max_unavailable": 2}}}
    assert "      first a, then b and c\n" in shown(applied.plan(PLACE, models=models))


def test_replicas_of_a_host_wait_for_each_other(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "h100x4", "b": "h100x4"})
    place = {host: [{"model": "q", "gpus": [[0], [1]]}] for host in "ab"}
    fleet.applied(fleet.plan(place).operations)
    text = shown(fleet.plan(place, models=NEW))
    first, second = text.split("~ update")[1:]
    assert "      first a, then b\n" in first
    assert "after " not in first
    assert "      after q on the same host\n" in second


@pytest.mark.parametrize(
    "other",
    [
        {"model": "q", "n_ctx": 2048},
        {"model": "q", "port": 8019},
        {"model": "q", "name": "r"},
        {"model": "q", "llama": {"parallel": 3}},
    ],
    ids=lambda placement: list(placement)[-1],
)
def test_a_host_with_another_change_stands_alone(fleet: Fleet, other: dict[str, object]) -> None:
    text = shown(fleet.plan({**PLACE, "b": [other]}))
    assert "\na, c  2 hosts" in text
    assert "\nb  NVIDIA H100" in text


def test_what_differs_in_the_field_alone_is_not_shared(applied: Fleet) -> None:
    """The same new value, from another one before."""
    place: Place = {**PLACE, "b": [{"model": "q", "n_ctx": 2048}]}
    applied.applied(applied.plan(place).operations)
    text = shown(applied.plan(PLACE, models=NEW))
    assert "n_ctx  2048 -> 8192" in text
    assert "\na, c  2 hosts" in text


def test_unreachable_hosts_and_refusals_stand_alone(fleet: Fleet) -> None:
    fleet.unseen |= {"a", "b"}
    text = shown(fleet.plan(PLACE))
    assert text.count("UNREACHABLE") == 2


def test_verbose_shows_every_host_by_itself(fleet: Fleet) -> None:
    assert shown(fleet.plan(PLACE), verbose=True).count("+ create") == 4
