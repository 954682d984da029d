"""What `spread` needs of a placement, and of names in the whole site."""

from collections.abc import Iterable

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.state.instance_config import InstanceConfig, Mark


def check_spread(instances: Iterable[InstanceConfig], problems: Problems) -> None:
    """Its replicas are known by their names, wherever they run."""
    placed: dict[str, InstanceConfig] = {}
    reported: set[Mark] = set()
    for instance in instances:
        other = placed.setdefault(instance.name, instance)
        mark, first = instance.marks[""], other.marks[""]
        if mark == first or mark in reported or not (instance.spread or other.spread):
            continue
        reported.add(mark)
        problems.add(
            mark,
            f"`{instance.name}` is spread, and placed at {first} too: replicas that move between "
            "hosts need names of their own; give one of the placements a `name:`",
        )
