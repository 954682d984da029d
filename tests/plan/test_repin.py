"""An index is recorded with the card that it meant: another card under it needs a word."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.plan.world import World
from xgen_deploy.cli.commands.plan import command
from xgen_deploy.cli.gpu_names import repin_of
from xgen_deploy.errors import UsageError
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.repin import Repin


class Case(NamedTuple):
    """`gpus` as the manifest has them. `now` are the host's cards by their place among those of
    the first apply, `refused` what the plan then says, () where it says nothing.
    """

    gpus: list[int | str] | str
    now: list[int]
    refused: tuple[str, ...] = ()
    host: str = "h100x4"


CASES = {
    "a card was added before it": Case(
        [0], [3, 0, 1, 2], ("GPU 0 was GPU-a when this was last applied", "is GPU-d now")
    ),
    "two cards changed places": Case(
        [1, 0], [1, 0, 2, 3], ("GPU 1 was GPU-b when this was last applied", "is GPU-a now")
    ),
    "one of several is another": Case(
        [0, 2], [0, 1, 3], ("GPU 2 was GPU-c when this was last applied", "is GPU-d now")
    ),
    "known by their PCI address": Case(
        [0], [1, 0], ("GPU 0 was 0000:03:00.0 when", "is 0000:83:00.0 now"), host="amd32x2"
    ),
    "the others changed places": Case([0], [0, 2, 1, 3]),
    "named by its UUID": Case(["GPU-a"], [1, 0, 2, 3]),
    "named by its PCI address": Case(["0000:41:00.0"], [1, 0, 2, 3]),
}
REFUSED = [name for name, case in CASES.items() if case.refused]


def applied(name: str, folder: Path) -> tuple[World, tuple[GPUInfo, ...]]:
    """The case's manifest, applied before the cards changed; and the cards after."""
    case = CASES[name]
    manifest: dict[str, Any] = {
        "host": case.host,
        "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
        "place": [{"model": "q", "gpus": case.gpus}],
    }
    world = World(manifest, folder)
    world.apply()
    had = world.facts.gpu.gpus
    return world, tuple(had[place] for place in case.now)


@pytest.mark.parametrize("name", CASES)
def test_another_card_under_an_index_is_refused(name: str, tmp_path: Path) -> None:
    world, cards = applied(name, tmp_path)
    world.cards(cards)
    plan = world.plan()
    assert plan.operations == ()
    if not CASES[name].refused:
        assert (plan.refusals, plan.unchanged) == ((), ("q",))
        return
    (refusal,) = plan.refusals
    for part in CASES[name].refused:
        assert part in refusal.reason
    assert "--repin" in refusal.hint
    assert refusal.mark is not None, "where it was written"


@pytest.mark.parametrize("name", REFUSED)
def test_the_new_card_is_taken_where_one_says_so(name: str, tmp_path: Path) -> None:
    world, cards = applied(name, tmp_path)
    world.cards(cards)
    plan = world.plan(repin=range(8))
    assert plan.refusals == ()
    (operation,) = plan.operations
    assert (operation.action, operation.cause) == ("update", "changed: gpus")
    meant = {str(ref): cards[int(ref)].identity for ref in CASES[name].gpus}
    assert operation.instance is not None
    assert operation.instance.pins == meant


@pytest.mark.parametrize("name", REFUSED)
def test_the_new_card_is_remembered(name: str, tmp_path: Path) -> None:
    world, cards = applied(name, tmp_path)
    before = world.facts.gpu.gpus
    world.cards(cards)
    world.apply(repin=range(8))
    plan = world.plan()
    assert (plan.operations, plan.refusals, plan.unchanged) == ((), (), ("q",))
    world.cards(before)
    assert "--repin" in world.plan().refusals[0].hint, "the old card is another one now"


def test_a_card_that_got_a_uuid_is_the_same_card(tmp_path: Path) -> None:
    """As when AMD's library comes to a host where the kernel's files told the address alone."""
    world, cards = applied("known by their PCI address", tmp_path)
    in_order = sorted(cards, key=lambda g: g.pci_bus_id or "")
    named = [g.model_copy(update={"uuid": f"GPU-{n}"}) for n, g in enumerate(in_order)]
    world.cards(named)
    plan = world.plan()
    assert (plan.operations, plan.refusals, plan.unchanged) == ((), (), ("q",))
    world.cards(reversed(named))
    assert "GPU 0 was 0000:03:00.0 when" in world.plan().refusals[0].reason


def test_one_card_is_accepted_and_no_other(tmp_path: Path) -> None:
    name = REFUSED[0]
    world, cards = applied(name, tmp_path)
    world.cards(cards)
    asked = next(int(ref) for ref in CASES[name].gpus)
    assert world.plan(repin={asked + 1}).refusals
    assert f"--repin h:{asked}" in world.plan().refusals[0].hint


@pytest.mark.parametrize(
    ("words", "manifest", "repin"),
    [
        (["--repin", "m.yaml"], "m.yaml", Repin(everywhere=True)),
        (["m.yaml", "--repin"], "m.yaml", Repin(everywhere=True)),
        (["--repin", "a:1", "m.yaml"], "m.yaml", Repin(cards=frozenset({("a", 1)}))),
        (
            ["m.yaml", "--repin", "a:1", "--repin=b:0"],
            "m.yaml",
            Repin(cards=frozenset({("a", 1), ("b", 0)})),
        ),
        (["m.yaml"], "m.yaml", Repin()),
    ],
)
def test_the_option_has_a_card_or_none(words: list[str], manifest: str, repin: Repin) -> None:
    context = command.make_context("plan", list(words))
    assert context.params["manifest"] == manifest
    assert repin_of(context.params["repin"], {"a", "b"}) == repin


@pytest.mark.parametrize(("value", "why"), [("a", "names no card"), ("c:0", "no host `c`")])
def test_what_names_no_card_is_said(value: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        repin_of([value], {"a", "b"})
