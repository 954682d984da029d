"""Warnings of what a manifest states and no instance takes. Of the manifests that it extends
nothing is said: what one site does not use another does.
"""

from collections.abc import Sequence

from xgen_deploy.manifest.checks.engines import able_engines
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.engine_words import GATEWAY_KEY, MONITORING_KEYS, EngineWords
from xgen_deploy.state.features import FEATURES
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import ENGINE_SETTINGS, Gateway, Runtime

_DOCKER: Runtime = "docker"
_USERS = {GATEWAY_KEY: "gateway"} | dict.fromkeys(MONITORING_KEYS, "monitoring")
_FIELDS = (
    "image", "binary", "container", "revision", "spare_gpus", "slo", *FEATURES, *ENGINE_SETTINGS
)  # fmt: skip


def check_unused(
    path: str,
    sections: Sections,
    instances: Sequence[InstanceConfig],
    hosts: dict[str, Host],
    problems: Problems,
) -> None:
    """`path` is the manifest's own file."""
    placed = {instance.model for instance in instances}
    for name, entry in sections.names("models").items():
        if name not in placed and entry.mark.file == path:
            problems.warn(entry.mark, f"model `{name}` is placed on no host")
    for mark, field in _without_effect(instances, sections.words).items():
        if mark.file == path:
            problems.warn(mark, f"`{field}` has no effect: {_why(field)}")
    if instances:
        _check_tables(path, sections, _used_keys(sections, instances, hosts), problems)


def _without_effect(instances: Sequence[InstanceConfig], words: EngineWords) -> dict[Mark, str]:
    """Where a field was written that no instance takes of those that it reaches."""
    taken: dict[Mark, bool] = {}
    fields: dict[Mark, str] = {}
    for instance in instances:
        for field in _FIELDS:
            mark = instance.marks.get(field)
            if mark is not None:
                fields[mark] = field
                taken[mark] = taken.get(mark, False) or _takes(instance, field, words)
    return {mark: field for mark, field in fields.items() if not taken[mark]}


def _takes(instance: InstanceConfig, field: str, words: EngineWords) -> bool:
    match field:
        case "image" | "container":
            return instance.runtime == _DOCKER
        case "binary":
            return instance.runtime != _DOCKER
        case "revision":
            source = instance.source
            texts = [source] if isinstance(source, str) else source.model_dump().values()
            return any(text and not text.startswith(("/", "~", "https:")) for text in texts)
        case "spare_gpus":
            return isinstance(instance.gpus, tuple) and bool(instance.gpus)
        case "slo":
            return instance.type == "llm"
    able = able_engines(instance, words)
    return any(field == engine.section or field in engine.features for engine in able)


def _why(field: str) -> str:
    match field:
        case "image" | "container":
            return "it is for the runtime docker"
        case "binary":
            return "it is for the runtimes systemd and process"
        case "revision":
            return "it is for models of Hugging Face"
        case "spare_gpus":
            return "it stands in for GPUs that `gpus` lists"
        case "slo":
            return "it is for models that generate tokens"
    return "another engine serves here"


def _used_keys(
    sections: Sections, instances: Sequence[InstanceConfig], hosts: dict[str, Host]
) -> dict[str, set[str]]:
    """The keys of `images` and of `binaries` that an instance or the gateway may look up."""
    used: dict[str, set[str]] = {"images": set(), "binaries": set()}
    for instance in instances:
        table = used["images" if instance.runtime == _DOCKER else "binaries"]
        for engine in able_engines(instance, sections.words):
            table |= {engine.name, engine.family, engine.vendor}
    for host in _gateway_hosts(sections.manifest.gateway, hosts):
        runtime = host.runtime or sections.manifest.runtime
        used["images" if runtime == _DOCKER else "binaries"].add(GATEWAY_KEY)
    for keys in used.values() if sections.manifest.monitoring is not None else ():
        keys.update(MONITORING_KEYS)
    return used


def _gateway_hosts(gateway: Gateway | None, hosts: dict[str, Host]) -> tuple[Host, ...]:
    """All of them where it is on a group: its table is warned of only where none could use it."""
    return tuple(hosts.values()) if gateway is not None else ()


def _check_tables(
    path: str, sections: Sections, used: dict[str, set[str]], problems: Problems
) -> None:
    for table, keys in used.items():
        for key, entry in sections.part(table).entries.items():
            if key not in keys and entry.mark.file == path:
                what = _USERS.get(key, "instance")
                problems.warn(entry.mark, f"`{table}.{key}` is used by no {what} here")
