"""What must hold between the parts of a site and needs no host to be seen."""

from collections.abc import Iterable

from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.drafts import model_tree
from xgen_deploy.manifest.node import ListNode, MapNode, Node, ScalarNode, is_null
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import ENGINE_SETTINGS, EngineSettings


def check_models(sections: Sections, problems: Problems) -> None:
    """Every model has a source; fallbacks are other models of the same type."""
    names = sections.names("models")
    for name, entry in names.items():
        written = entry.node if isinstance(entry.node, MapNode) else None
        tree = model_tree(name, sections)
        if is_null(tree.get("source")) and (written is None or is_null(written.get("source"))):
            problems.add(entry.mark, f'model "{name}" has no source; it is required')
        _check_fallback(name, tree, sections, problems)
    for where in sections.part("hosts").entries.values():
        for own in where.node.items if isinstance(where.node, ListNode) else ():
            model = own.get("model") if isinstance(own, MapNode) else None
            if isinstance(own, MapNode) and isinstance(model, ScalarNode):
                _check_fallback(model.text, own, sections, problems)


def _check_fallback(name: str, tree: MapNode, sections: Sections, problems: Problems) -> None:
    names = sections.names("models")
    fallback = tree.get("fallback")
    if isinstance(fallback, ListNode) and fallback.items and sections.manifest.gateway is None:
        problems.warn(fallback.mark, "fallback does nothing without a `gateway:`")
    for node in fallback.items if isinstance(fallback, ListNode) else ():
        other = node.text if isinstance(node, ScalarNode) else ""
        if other == name:
            problems.add(node.mark, f'"{name}" cannot be its own fallback')
        elif other not in names:
            problems.add(node.mark, f'fallback: no model "{other}".{nearest(other, names)}')
        elif name in names and _type(other, sections) != _type(name, sections):
            kinds = f'"{other}" is {_type(other, sections)}, "{name}" is {_type(name, sections)}'
            problems.add(node.mark, f"fallback: the two are not of one type: {kinds}")


def _type(name: str, sections: Sections) -> str:
    node: Node | None = model_tree(name, sections).get("type")
    return node.text if isinstance(node, ScalarNode) and node.value else "llm"


def check_instances(
    instances: Iterable[InstanceConfig], hosts: dict[str, Host], problems: Problems
) -> None:
    """Each instance by itself, and its name among those of its host."""
    seen: dict[tuple[str, str], InstanceConfig] = {}
    for one in instances:
        first = seen.setdefault((one.host, one.name), one)
        if first is not one:
            problems.add(
                one.marks[""],
                f'{one.host} has an instance "{one.name}" already, from {first.marks[""]}; '
                "give one of them another `name:`",
            )
        _check_layers(one, problems)
        _check_engine_settings(one, problems)
        _check_local(one, hosts[one.host], problems)


def _check_layers(one: InstanceConfig, problems: Problems) -> None:
    if one.gpus == () and one.layers_here and one.n_gpu_layers != 0:
        problems.add(
            one.marks["n_gpu_layers"],
            f"n_gpu_layers is {one.n_gpu_layers}, but `gpus: []` is the CPU; remove one of the two",
        )


def _check_engine_settings(one: InstanceConfig, problems: Problems) -> None:
    if not isinstance(one.gpus, tuple):
        return
    for section in ENGINE_SETTINGS:
        settings: EngineSettings = getattr(one, section)
        wrong = settings.mismatch(len(one.gpus))
        if wrong is not None:
            problems.add(
                one.marks[f"{section}.{wrong.field}"],
                f"{wrong.field} {wrong.found}, but {one.name} on {one.host} has "
                f"{len(one.gpus)} in `gpus`; {wrong.rule}",
            )


def _check_local(one: InstanceConfig, host: Host, problems: Problems) -> None:
    if host.connection == "local":
        return
    if one.runtime == "process":
        problems.add(
            one.marks.get("runtime", one.marks[""]),
            f"{host.name}: the runtime process is for local connections only; "
            "use docker or systemd there",
        )
    if isinstance(one.source, str):
        _check_home(one, "source", one.source, problems)
    else:
        for key, text in (("gguf", one.source.gguf), ("hf", one.source.hf)):
            _check_home(one, f"source.{key}", text, problems)
    _check_home(one, "binary", one.binary, problems)
    for key, text in one.binaries.items():
        _check_home(one, f"binaries.{key}", text, problems)


def _check_home(one: InstanceConfig, key: str, text: str | None, problems: Problems) -> None:
    if text is not None and text.startswith("~"):
        problems.add(
            one.marks.get(key, one.marks[""]),
            f"{text}: `~/` is for local connections only, and {one.host} is reached over SSH; "
            "write a path that begins with `/`",
        )
