"""A source in two formats names two things: one of them alone would be looked for and brought."""

from collections.abc import Iterator

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.state.features import Lora
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import SourceByFormat
from xgen_deploy.state.source import read_source


def check_formats(instance: InstanceConfig, problems: Problems) -> None:
    for key, source in _stated(instance):
        if not isinstance(source, SourceByFormat) or source.gguf is None or source.hf is None:
            continue
        if _named(source.gguf) == _named(source.hf):
            problems.add(
                instance.marks.get(key.partition(".")[0], instance.marks[""]),
                f"{key}: `gguf` and `hf` name the same, {source.gguf}; state the file that is the "
                "GGUF (`gguf: org/name:Q4_K_M`, or its path), or only one of the two",
            )


def _stated(instance: InstanceConfig) -> Iterator[tuple[str, str | SourceByFormat]]:
    yield "source", instance.source
    if instance.draft is not None:
        yield "draft.source", instance.draft.source
    for name, lora in instance.loras.items():
        if isinstance(lora, Lora):
            yield f"loras.{name}.source", lora.source


def _named(text: str) -> tuple[str | None, ...]:
    """However it is written."""
    source = read_source(text)
    place = source.repository or source.url or (source.path or "").rstrip("/")
    return place, source.file, source.quantization, source.revision
