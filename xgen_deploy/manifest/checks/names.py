"""The names that clients can ask for: models, aliases, and adapters with names of their own."""

from collections.abc import Collection, Iterable, Iterator

from xgen_deploy.manifest.checks.engines import able_engines
from xgen_deploy.manifest.diagnostics import Problems, listing
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.instance_config import InstanceConfig, Mark


def check_names(
    instances: Iterable[InstanceConfig],
    models: Collection[str],
    words: EngineWords,
    problems: Problems,
) -> None:
    """Each name is one model's alone."""
    owners: dict[str, str] = {}
    reported: set[Mark] = set()
    for instance in instances:
        for name, field in further_names(instance, words):
            mark = instance.marks.get(field, instance.marks[""])
            owner = owners.setdefault(name, instance.model)
            if mark in reported or (owner == instance.model and name not in models):
                continue
            reported.add(mark)
            taken = "a model" if name in models else f"a name of `{owner}`"
            problems.add(mark, f"`{name}` is {taken} already, and clients could mean either")
        _warn_of_adapters(instance, words, problems)


def further_names(instance: InstanceConfig, words: EngineWords) -> Iterator[tuple[str, str]]:
    """What clients may call it besides its model's name, each with the field that states it."""
    yield from ((name, "aliases") for name in instance.aliases)
    if any(engine.names_adapters for engine in able_engines(instance, words)):
        yield from ((name, f"loras.{name}") for name in instance.loras)


def _warn_of_adapters(instance: InstanceConfig, words: EngineWords, problems: Problems) -> None:
    able = able_engines(instance, words)
    if not instance.loras or not able or any(engine.names_adapters for engine in able):
        return
    adapters = listing(f"`{name}`" for name in instance.loras)
    problems.warn(
        instance.marks.get("loras", instance.marks[""]),
        f"{adapters} will be applied to `{instance.model}` from the start, not served by name: "
        "llama.cpp's servers know no other way. For a name of its own, place a second model with "
        "this `source` and that adapter alone",
    )
