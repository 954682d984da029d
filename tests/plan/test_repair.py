"""How drift is repaired: by putting files right where what runs is what was applied."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.test_plan import BASE
from tests.plan.world import World
from xgen_deploy.plan.repair import READ_LATER, STARTED_SINCE, reload_is_safe
from xgen_deploy.state.facts import EditedFile
from xgen_deploy.state.plan import Kind, Operation

UNIT = "/etc/systemd/system/xgen-p-q.service"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(BASE, tmp_path)
    made.apply()
    return made


def repaired(world: World) -> Operation:
    (operation,) = world.plan().operations
    return operation


@pytest.mark.parametrize(
    ("unit", "box", "kind", "interrupts"),
    [
        ({"sha256": "x"}, {}, Kind.RESTORE_FILES, False),
        ({"sha256": "x", "invocation": "run-2"}, {}, Kind.REPAIR, True),
        ({"enabled": False, "invocation": "run-2"}, {}, Kind.RESTORE_FILES, False),
        ({"sha256": "x", "state": "failed"}, {}, Kind.REPAIR, False),
        ({"state": "inactive"}, {"state": "exited"}, Kind.REPAIR, False),
        ({}, {"labels": {}}, Kind.REPAIR, True),
        ({"sha256": "x"}, {"labels": {}}, Kind.REPAIR, True),
    ],
)
def test_only_what_was_started_as_it_is_now_is_replaced(
    world: World, unit: dict[str, Any], box: dict[str, Any], kind: Kind, interrupts: bool
) -> None:
    world.service(**unit)
    world.container(**box)
    operation = repaired(world)
    assert (operation.kind, operation.interrupts) == (kind, interrupts)
    assert operation.action == "repair"
    assert (STARTED_SINCE in operation.notes) == ({"sha256", "invocation"} <= unit.keys())


def test_what_an_older_version_wrote_cannot_be_written_again(world: World) -> None:
    last = world.record.instances["q"]
    older = last.model_copy(update={"files": {UNIT: "older"}})
    world.record = world.record.model_copy(update={"instances": {"q": older}})
    assert repaired(world).kind is Kind.REPAIR


@pytest.mark.parametrize(
    ("docker", "box", "reload"),
    [
        ({}, {}, True),
        ({}, {"gpu_request": True}, False),
        ({}, {"gpu_request": True, "state": "exited"}, True),
        ({"state": "denied"}, {}, False),
    ],
)
def test_systemd_reads_units_at_once_only_where_no_container_can_lose_its_gpus(
    world: World, docker: dict[str, Any], box: dict[str, Any], reload: bool
) -> None:
    world.container(**box)
    world.fact(docker=world.facts.docker.model_copy(update=docker))
    assert reload_is_safe(world.facts) is reload


def test_where_it_reads_them_later_the_plan_says_so(world: World) -> None:
    world.service(sha256="x")
    assert (repaired(world).reload, READ_LATER in repaired(world).notes) == (True, False)
    world.container(gpu_request=True)
    assert (repaired(world).reload, READ_LATER in repaired(world).notes) == (False, True)


def test_many_edited_lines_are_cut_short(world: World) -> None:
    lines = tuple(f"# {n}" for n in range(100))
    world.service(sha256="x")
    world.fact(edited=(EditedFile(path=UNIT, exists=True, lines=lines),))
    diff = repaired(world).diff
    assert len(diff) == 13
    assert str(diff[-1].before).endswith(" more")
