"""What drivers were measured to take of GPUs, for a fleet in a file: what `fit export` printed."""

from pydantic import ValidationError

from xgen_deploy.frozen import Frozen
from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.file_text import Files, beside
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, Node, ScalarNode, plain
from xgen_deploy.manifest.scalars import core
from xgen_deploy.state.driver_memory import DriverMemory


class _Drivers(Frozen):
    drivers: tuple[DriverMemory, ...] = ()


def drivers_of(path: str, root: MapNode, problems: Problems) -> tuple[DriverMemory, ...]:
    """Of a fleet file: in it, or in the file beside it that `drivers:` names. Raises
    ManifestError."""
    node = root.get("drivers")
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
        return _read(root, problems)
    named = beside(path, node.value)
    other = parse(named, Files().text(named, "file of drivers"), core, problems)
    if not isinstance(other, MapNode) or other.get("drivers") is None:
        raise failure(named, "a file of drivers is a map with `drivers:`: what `fit export` prints")
    return _read(other, problems)


def _read(root: MapNode, problems: Problems) -> tuple[DriverMemory, ...]:
    stated: Node | None = root.get("drivers")
    if stated is None:
        return ()
    try:
        return _Drivers.model_validate({"drivers": plain(stated)}).drivers
    except ValidationError as error:
        report(error, root, _Drivers, problems)
        return ()
