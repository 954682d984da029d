"""Whose a container is: what only carries our label is named, left alone, and holds its port."""

from pathlib import Path
from typing import Any

import pytest

from tests.plan.test_plan import BASE
from tests.plan.world import World
from xgen_deploy.state.facts import ContainerFacts, PortFacts, ServiceFacts

LABELS = {"xgen.project": "p", "xgen.instance": "q", "xgen.container": "xgen-p-q"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(BASE, tmp_path)


def box(name: str, **labels: str) -> ContainerFacts:
    return ContainerFacts(
        name=name,
        id="d" * 64,
        image_id="sha256:i",
        state="running",
        ports=(8001,),
        labels={"xgen.project": "p", **{f"xgen.{k}": v for k, v in labels.items()}},
    )


def beside(world: World, *boxes: ContainerFacts) -> None:
    docker = world.facts.docker
    containers = (*docker.containers, *boxes)
    world.fact(docker=docker.model_copy(update={"containers": containers}))


def unit(name: str, uid: int | None = 0) -> ServiceFacts:
    return ServiceFacts(name=f"{name}.service", kind="unit", state="active", sha256="s", uid=uid)


STRANGERS = {
    "a copy by docker commit": box("copy", instance="q", container="xgen-p-q"),
    "a copy of 0.1.0": box("copy", instance="q"),
    "a copy under the other slot's name": box("xgen-p-q.b", instance="q", container="xgen-p-q"),
    "a way out": box("x", instance="../../../srv/victim"),
    "the project's own folder": box("x", instance=".."),
    "no unit": box("xgen-p-other", instance="other", container="xgen-p-other"),
    "no name": box("x"),
    "the gateway's": box("xgen-p-gateway", instance="gateway"),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_container_that_only_carries_our_label_is_left_alone(
    world: World, stranger: ContainerFacts
) -> None:
    world.apply()
    beside(world, stranger.model_copy(update={"ports": ()}))
    plan = world.plan()
    assert plan.operations == ()
    (warning,) = (w for w in plan.warnings if stranger.name in w)
    assert "was not made by xgen-deploy: it is left alone" in warning
    assert f"docker rm -f {stranger.name}" in warning


def test_a_renamed_container_is_left_alone_and_holds_its_port(world: World) -> None:
    world.apply()
    port = world.facts.docker.containers[0].ports[0]
    world.container(name="ours-once")
    world.fact(ports=(PortFacts(port=port, address="127.0.0.1", pid=9, process="docker-proxy"),))
    plan = world.plan()
    assert plan.operations == ()
    (refusal,) = plan.refusals
    assert f"port {port} is held by container ours-once" in refusal.reason
    assert "docker rm -f ours-once" in refusal.hint


def test_a_copy_with_the_port_of_a_new_instance_is_avoided(world: World) -> None:
    beside(world, box("copy", instance="q", container="xgen-p-q"))
    (operation,) = world.plan().operations
    assert operation.instance is not None
    assert operation.instance.spec.port == 8002


def test_a_port_that_a_copy_and_ours_both_state_is_the_copys(world: World) -> None:
    """Ours does not run: what listens there is the copy."""
    world.apply()
    world.container(state="exited")
    beside(world, box("copy", instance="q", container="xgen-p-q"))
    assert "held by container copy" in world.plan().refusals[0].reason


@pytest.mark.parametrize(
    ("services", "found"),
    [
        ((), []),
        ((unit("xgen-p-old", uid=1000),), []),
        ((unit("xgen-p-old", uid=None),), []),
        ((unit("xgen-p-old-2"),), []),
        ((unit("xgen-p-old"),), ["old"]),
    ],
)
def test_where_the_record_is_gone_a_unit_that_root_owns_proves_it(
    world: World, services: tuple[ServiceFacts, ...], found: list[str]
) -> None:
    world.fact(services=services)
    beside(world, box("xgen-p-old", instance="old").model_copy(update={"ports": ()}))
    plan = world.plan()
    assert [o.name for o in plan.operations if o.action == "remove"] == found
    assert bool([w for w in plan.warnings if "xgen-p-old" in w]) == (not found)


def test_a_name_that_is_taken_is_refused_before_anything_starts(world: World) -> None:
    taken = box("xgen-p-q", instance="q", container="another").model_copy(update={"ports": ()})
    beside(world, taken)
    (refusal,) = world.plan().refusals
    assert "container xgen-p-q exists already" in refusal.reason


@pytest.mark.parametrize(
    "name", ["..", "../../../srv/victim", "a b", "gateway", "q.b", "x" * 61, ""]
)
@pytest.mark.parametrize("where", ["instances", "pending"])
def test_a_record_with_a_name_that_no_instance_has_is_refused(
    world: World, name: str, where: str
) -> None:
    world.apply()
    entry: Any = world.record.instances["q"] if where == "instances" else "digest"
    world.record = world.record.model_copy(update={where: {name: entry}})
    plan = world.plan()
    assert plan.operations == ()
    assert "no instance can be called" in plan.refusals[0].reason


def test_a_record_with_a_slot_that_is_none_is_refused(world: World) -> None:
    world.apply()
    entry = world.record.instances["q"].model_copy(update={"slot": "/../../x"})
    world.record = world.record.model_copy(update={"instances": {"q": entry}})
    assert "cannot be understood" in world.plan().refusals[0].reason
