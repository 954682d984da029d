"""Whether an engine can serve an instance as it is stated; what only a host can tell is left to
the plan.
"""

from collections.abc import Sequence

from xgen_deploy.manifest.diagnostics import Problems, listing
from xgen_deploy.state.choice import GPUCount
from xgen_deploy.state.engine_words import EngineTraits, EngineWords
from xgen_deploy.state.instance_config import InstanceConfig, Mark
from xgen_deploy.state.settings import (
    ENGINE_SETTINGS,
    Contradiction,
    EngineSettings,
    SourceByFormat,
)
from xgen_deploy.state.source import read_source

_FORMATS = {"gguf": "GGUF", "hf": "Hugging Face"}
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def able_engines(config: InstanceConfig, words: EngineWords) -> tuple[EngineTraits, ...]:
    """The builds that `backend`, `source` and `gpus` leave open; () where these contradict."""
    return _on_these_gpus(config, _of_its_format(config, words))


def check_engines(config: InstanceConfig, words: EngineWords, problems: Problems) -> None:
    """Adds what no host could carry out, and warns of what would have no effect."""
    _check_files(config, problems)
    takes = _of_its_format(config, words)
    able = _on_these_gpus(config, takes)
    if not takes:
        _report_format(config, words, problems)
    elif not able:
        _report_gpus(config, takes, problems)
    else:
        _check_layers(config, able, problems)
        _check_settings(config, able, problems)


def stated_formats(config: InstanceConfig) -> frozenset[str] | None:
    """The formats that the source is in, as far as its text tells; None where it does not."""
    source = config.source
    if isinstance(source, SourceByFormat):
        return frozenset(source.model_dump(exclude_none=True))
    return frozenset({"gguf"}) if read_source(source).is_gguf else None


def _file_name(source: str) -> str:
    parsed = read_source(source)
    return (parsed.file or source.split("?")[0].split("#")[0]).lower()


def _of_its_format(config: InstanceConfig, words: EngineWords) -> tuple[EngineTraits, ...]:
    formats = stated_formats(config)
    chosen = words.chosen_by(config.backend)
    return tuple(e for e in chosen if formats is None or formats.intersection(e.formats))


def _on_these_gpus(
    config: InstanceConfig, engines: tuple[EngineTraits, ...]
) -> tuple[EngineTraits, ...]:
    if config.gpus is None:
        return engines
    if config.gpus == ():
        return tuple(e for e in engines if not e.needs_gpu)
    return tuple(e for e in engines if e.uses_gpus)


def _report_format(config: InstanceConfig, words: EngineWords, problems: Problems) -> None:
    formats = {f for engine in words.chosen_by(config.backend) for f in engine.formats}
    source = config.source
    shown = f"`{source}`" if isinstance(source, str) else "the source"
    found = _names(stated_formats(config) or ())
    problems.add(
        _mark(config, "backend"),
        f"`backend: {config.backend}` serves {_names(formats)} models, and {shown} is {found}; "
        "name another backend, or give both: `source: {gguf: …, hf: …}`",
    )


def _names(formats: frozenset[str] | set[str] | tuple[str, ...]) -> str:
    return " and ".join(_FORMATS.get(f, f) for f in sorted(formats))


def _report_gpus(
    config: InstanceConfig, takes: tuple[EngineTraits, ...], problems: Problems
) -> None:
    names = listing(engine.name for engine in takes)
    if config.gpus == ():
        message = f"`gpus: []` is the CPU, and {names} cannot run without a GPU"
        hint = "give it a GPU, or name a backend for the CPU"
    else:
        message = f"{names} uses no GPU, and `gpus` names some"
        hint = "write `gpus: []`, or name another backend"
    problems.add(_mark(config, "gpus"), f"{message}; {hint}")


def _check_files(config: InstanceConfig, problems: Problems) -> None:
    """A file that no engine loads, or under the wrong key."""
    source = config.source
    by_key = {"": source} if isinstance(source, str) else source.model_dump(exclude_none=True)
    for key, text in by_key.items():
        mark = _mark(config, f"source.{key}" if key else "source")
        if _file_name(text).endswith(_WEIGHTS):
            message = f"`{text}` is one file of weights; an engine takes the folder that holds "
            problems.add(mark, f"{message}`config.json`, or a GGUF file")
        elif key == "hf" and read_source(text).is_gguf:
            problems.add(mark, f"`{text}` is a GGUF file; its place is `gguf:`")
        revision = read_source(text).revision
        if revision is not None and config.revision not in (revision, "main"):
            message = f"revision {config.revision} is stated, and `{text}` has {revision}"
            problems.add(mark, f"{message}; leave one of them out")


def _check_layers(
    config: InstanceConfig, able: tuple[EngineTraits, ...], problems: Problems
) -> None:
    layers, names = config.n_gpu_layers, listing(engine.name for engine in able)
    if config.layers_here and not any(engine.offloads_layers for engine in able):
        problems.add(
            _mark(config, "n_gpu_layers"),
            f"n_gpu_layers is stated for this placement, and what can serve it ({names}) puts a "
            "model on its GPUs whole; remove it",
        )
    elif layers not in (None, 0) and not any(engine.uses_gpus for engine in able):
        problems.add(
            _mark(config, "n_gpu_layers"),
            f"n_gpu_layers is {layers}, and {names} uses no GPU; write `n_gpu_layers: 0` here",
        )


def _check_settings(
    config: InstanceConfig, able: tuple[EngineTraits, ...], problems: Problems
) -> None:
    """Fatal only where no other engine could serve: its settings would be ignored then."""
    sections = {engine.section for engine in able}
    gpus = _stated_gpus(config)
    for section in ENGINE_SETTINGS:
        settings: EngineSettings = getattr(config, section)
        for wrong in settings.contradictions(gpus) if section in sections else ():
            mark = _mark(config, f"{section}.{wrong.field}")
            if wrong.fatal and sections == {section}:
                problems.add(mark, _sentence(wrong, config))
            else:
                problems.warn(mark, _sentence(wrong, config))


def _stated_gpus(config: InstanceConfig) -> int | None:
    """How many; None where only the host can tell."""
    if isinstance(config.gpus, GPUCount):
        return config.gpus.count
    return len(config.gpus) if isinstance(config.gpus, tuple) else None


def _sentence(wrong: Contradiction, config: InstanceConfig) -> str:
    if not wrong.by_gpus:
        return f"{wrong.field} {wrong.found}, but {wrong.rule}"
    count = _stated_gpus(config) or 0
    return (
        f"{wrong.field} {wrong.found}, but {config.name} on {config.host} has {count} in `gpus`; "
        f"{wrong.rule}"
    )


def _mark(config: InstanceConfig, field: str) -> Mark:
    """Where a field was written; the placement where it has none."""
    parts: Sequence[str] = (field, field.partition(".")[0], "")
    return next(config.marks[part] for part in parts if part in config.marks)
