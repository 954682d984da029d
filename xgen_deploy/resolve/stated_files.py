"""The files that a placement names besides its model's own: what the probe is to look for. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.resolve.models import formats_of, model_key
from xgen_deploy.state.features import Draft, Lora
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import ENGINE_SETTINGS, EngineSettings
from xgen_deploy.state.source import repository_of


@dataclass(frozen=True)
class StatedFile:
    """`field` is where the manifest states it. `any_file`: its content is no model's.
    `any_revision`: it states none. `quantize`: what is loaded is made of it, in this type.
    """

    field: str
    source: str
    revision: str
    any_file: bool = False
    any_revision: bool = False
    quantize: str | None = None

    @property
    def key(self) -> str:
        """Its key in the probe's request and answer."""
        revision = "file" if self.any_file else self.revision
        return model_key(self.source, revision, self.quantize)


def stated_files(config: InstanceConfig, host: Host) -> Iterator[StatedFile]:
    """All of them; of a draft in two formats both."""
    yield from argument_files(config, host)
    if config.mmproj is not None:
        yield projector_file(config, config.mmproj)
    if config.draft is not None:
        yield from draft_files(config.draft).values()
    for name, lora in config.loras.items():
        yield from lora_files(name, lora).values()
    if config.chat_template is not None:
        yield template_file(config.chat_template)


def model_files(config: InstanceConfig) -> Iterator[StatedFile]:
    """The model's own, in each of its formats."""
    for model_format, source in formats_of(config.source).items():
        yield StatedFile(
            "source",
            source,
            config.revision,
            any_revision=_any_revision(config),
            quantize=config.quantize if model_format != "hf" else None,
        )


def _any_revision(config: InstanceConfig) -> bool:
    return "revision" not in config.marks


def projector_file(config: InstanceConfig, source: str) -> StatedFile:
    """A projector comes with the model, so that in the same repository it is of its revision."""
    models = (repository_of(s) for s in formats_of(config.source).values())
    same = repository_of(source) in {model for model in models if model is not None}
    revision = config.revision if same else "main"
    return StatedFile("mmproj", source, revision, any_revision=not same or _any_revision(config))


def draft_files(draft: Draft) -> dict[str, StatedFile]:
    """By format, as the model's own."""
    sources = formats_of(draft.source)
    return {f: _file("draft", s, draft.revision) for f, s in sources.items()}


def lora_files(name: str, lora: str | Lora) -> dict[str, StatedFile]:
    """By format, as the model's own."""
    source, revision = (lora, None) if isinstance(lora, str) else (lora.source, lora.revision)
    found = formats_of(source).items()
    return {f: _file(f"loras.{name}", s, revision) for f, s in found}


def _file(field: str, source: str, revision: str | None) -> StatedFile:
    return StatedFile(field, source, revision or "main", any_revision=revision is None)


def template_file(path: str) -> StatedFile:
    return StatedFile("chat_template", path, "main", any_file=True)


def argument_files(config: InstanceConfig, host: Host) -> Iterator[StatedFile]:
    """Those that `extra_args` name, where the host can tell: not what only the image has."""
    for section in ENGINE_SETTINGS:
        settings: EngineSettings = getattr(config, section)
        for path in settings.options.files_in(settings.extra_args or ()):
            on_host = _outside(path, config, host)
            if on_host is not None:
                yield StatedFile(f"{section}.extra_args", on_host, "main", any_file=True)


def _outside(path: str, config: InstanceConfig, host: Host) -> str | None:
    """Where a path of the engine's is on the host; a container has its model's and what is
    mounted.
    """
    if config.runtime != "docker":
        return path
    for mount in config.container.mounts or ():
        source, target = mount.split(":")[:2]
        if path.startswith(target.rstrip("/") + "/"):
            return source.rstrip("/") + path[len(target.rstrip("/")) :]
    folders = (host.model_dir, host.hf_home)
    return path if any(path.startswith(f.rstrip("/") + "/") for f in folders) else None
