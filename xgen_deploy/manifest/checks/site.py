"""Checks across the parts of a site that need no host."""

from collections.abc import Iterable, Iterator

from xgen_deploy.manifest.checks.engines import check_engines
from xgen_deploy.manifest.checks.formats import check_formats
from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.expand import model_tree
from xgen_deploy.manifest.images import check_images
from xgen_deploy.manifest.node import ListNode, MapNode, Node, ScalarNode, is_null
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.manifest.substitute import undefined
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import SourceByFormat


def check_models(sections: Sections, problems: Problems) -> None:
    """Every model has a source; fallbacks are other models of the same type."""
    names = sections.names("models")
    for name, entry in names.items():
        written = entry.node if isinstance(entry.node, MapNode) else None
        tree = model_tree(name, sections)
        if _is_missing(tree.get("source")) and (written is None or is_null(written.get("source"))):
            problems.add(entry.mark, f"model `{name}` has no `source`; it is required")
        _check_fallback(name, tree, sections, problems)
    for entry in sections.part("hosts").entries.values():
        for placement in entry.node.items if isinstance(entry.node, ListNode) else ():
            model = placement.get("model") if isinstance(placement, MapNode) else None
            if isinstance(placement, MapNode) and isinstance(model, ScalarNode):
                _check_fallback(model.text, placement, sections, problems)


def _is_missing(node: Node | None) -> bool:
    """A variable that is not stated here is for another host to know."""
    return is_null(node) and not (node is not None and any(undefined(node)))


def _check_fallback(name: str, tree: MapNode, sections: Sections, problems: Problems) -> None:
    names = sections.names("models")
    fallback = tree.get("fallback")
    if isinstance(fallback, ListNode) and fallback.items and sections.manifest.gateway is None:
        problems.warn(fallback.mark, "`fallback` has no effect without a `gateway:`")
    for node in fallback.items if isinstance(fallback, ListNode) else ():
        other = node.text if isinstance(node, ScalarNode) else ""
        if any(undefined(node)):
            continue
        if other == name:
            problems.add(node.mark, f"`{name}` cannot be its own fallback")
        elif other not in names:
            problems.add(node.mark, f"fallback: no model `{other}`.{nearest(other, names)}")
        elif name in names and _differ(_type(other, sections), _type(name, sections)):
            types = f"`{other}` is {_type(other, sections)}, `{name}` is {_type(name, sections)}"
            problems.add(node.mark, f"fallback: the two models differ in type: {types}")


def _differ(one: str | None, other: str | None) -> bool:
    return None not in (one, other) and one != other


def _type(name: str, sections: Sections) -> str | None:
    """None where it is a variable that is not stated here."""
    node: Node | None = model_tree(name, sections).get("type")
    if node is not None and any(undefined(node)):
        return None
    return node.text if isinstance(node, ScalarNode) and node.value else "llm"


def check_instances(
    instances: Iterable[InstanceConfig],
    hosts: dict[str, Host],
    words: EngineWords,
    problems: Problems,
) -> None:
    """Each instance by itself, and that its name is unique on its host."""
    seen: dict[tuple[str, str], InstanceConfig] = {}
    adopters: dict[tuple[str, str], str] = {}
    for instance in instances:
        first = seen.setdefault((instance.host, instance.name), instance)
        if first is not instance:
            problems.add(
                instance.marks[""],
                f"{instance.host} already has an instance `{instance.name}`, "
                f"from {first.marks['']}; give one of them another `name:`",
            )
        _check_layers(instance, problems)
        _check_adopt(instance, adopters, problems)
        check_engines(instance, words, problems)
        check_images(instance, problems)
        check_formats(instance, problems)
        _check_local(instance, hosts[instance.host], problems)


def _check_adopt(
    instance: InstanceConfig, adopters: dict[tuple[str, str], str], problems: Problems
) -> None:
    """One instance takes over one thing; `adopters` are those before it, by host and thing."""
    if instance.adopt is None:
        return
    mark = instance.marks["adopt"]
    if instance.runtime == "process":
        problems.add(mark, "`adopt` needs the runtime docker or systemd, not process")
    first = adopters.setdefault((instance.host, str(instance.adopt)), instance.name)
    if first != instance.name:
        problems.add(
            mark,
            f"{instance.adopt} of {instance.host} is taken over by `{first}` already; "
            "one instance takes its place",
        )


def _check_layers(instance: InstanceConfig, problems: Problems) -> None:
    if instance.gpus == () and instance.layers_here and instance.n_gpu_layers != 0:
        problems.add(
            instance.marks["n_gpu_layers"],
            f"n_gpu_layers is {instance.n_gpu_layers}, but `gpus: []` is the CPU; remove either",
        )


def _check_local(instance: InstanceConfig, host: Host, problems: Problems) -> None:
    if host.connection == "local":
        return
    if instance.runtime == "process":
        problems.add(
            instance.marks.get("runtime", instance.marks[""]),
            f"{host.name}: the runtime `process` is for local connections only; "
            "use docker or systemd there",
        )
    for key, text in _paths(instance):
        _check_home(instance, key, text, problems)
    _check_home(instance, "binary", instance.binary, problems)
    for key, text in instance.binaries.items():
        _check_home(instance, f"binaries.{key}", text, problems)


def _paths(instance: InstanceConfig) -> Iterator[tuple[str, str | None]]:
    """Every path of a model's files, by where it is stated."""
    yield from _sources("source", instance.source)
    yield "mmproj", instance.mmproj
    yield "chat_template", instance.chat_template
    if instance.draft is not None:
        yield from _sources("draft.source", instance.draft.source)
    for name, lora in instance.loras.items():
        if isinstance(lora, str):
            yield f"loras.{name}", lora
        else:
            yield from _sources(f"loras.{name}.source", lora.source)


def _sources(key: str, source: str | SourceByFormat) -> Iterator[tuple[str, str | None]]:
    if isinstance(source, str):
        yield key, source
    else:
        yield f"{key}.gguf", source.gguf
        yield f"{key}.hf", source.hf


def _check_home(instance: InstanceConfig, key: str, text: str | None, problems: Problems) -> None:
    if text is not None and text.startswith("~"):
        problems.add(
            instance.marks.get(key, instance.marks[""]),
            f"{text}: `~/` is for local connections only, and {instance.host} is reached over SSH; "
            "write a path that begins with `/`",
        )
