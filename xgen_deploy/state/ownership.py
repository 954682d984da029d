"""Whether a container on a host belongs to this project. Pure.

A label alone proves nothing: images carry labels, and `docker commit` copies them.
"""

from xgen_deploy.state.facts import ContainerFacts, HostFacts, ServiceFacts
from xgen_deploy.state.field_types import is_instance_name
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.record import Record

_ROOT = 0


def ours(box: ContainerFacts, facts: HostFacts, record: Record, layout: Layout) -> bool:
    """Where its labels name an instance and this very container, its name is the instance's, and
    a unit of ours starts it. Containers of 0.1.0 lack the label `xgen.container`.
    """
    if box.labels.get("xgen.project") != layout.project:
        return False
    instance = box.labels.get("xgen.instance", "")
    if box.name not in _names(instance, layout):
        return False
    if box.labels.get("xgen.container", box.name) != box.name:
        return False
    return _recorded(instance, record) or any(_starts(s, box.name) for s in facts.services)


def mislabelled_containers(
    facts: HostFacts, record: Record, layout: Layout
) -> tuple[ContainerFacts, ...]:
    """Those that carry the project's label and cannot be proved to be this tool's."""
    return tuple(
        box
        for box in facts.docker.containers
        if box.labels.get("xgen.project") == layout.project and not ours(box, facts, record, layout)
    )


def orphans(facts: HostFacts, record: Record, layout: Layout) -> frozenset[str]:
    """Instances with a container of ours that the record does not know: it was lost."""
    instances = {
        box.labels["xgen.instance"]
        for box in facts.docker.containers
        if ours(box, facts, record, layout)
    }
    return frozenset(instances - record.instances.keys() - {GATEWAY})


def _names(instance: str, layout: Layout) -> tuple[str, ...]:
    """The container names that an instance may have; none where the text is no instance's name."""
    if instance == GATEWAY:
        return (layout.service(GATEWAY),)
    if not is_instance_name(instance):
        return ()
    return (layout.service(instance), layout.service(instance + SECOND))


def _recorded(instance: str, record: Record) -> bool:
    if instance == GATEWAY:
        return record.gateway is not None
    return instance in record.instances or instance in record.pending


def _starts(unit: ServiceFacts, name: str) -> bool:
    return unit.name == f"{name}.service" and unit.sha256 is not None and unit.uid == _ROOT
