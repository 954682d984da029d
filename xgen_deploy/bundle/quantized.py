"""Models that hosts are to make of those in a bundle, which brings no quantizer."""

from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.errors import XgenError
from xgen_deploy.hub.catalog import Described, Sources
from xgen_deploy.resolve.quantized_size import CannotQuantize, outcome_of
from xgen_deploy.run.lacking import wanted_models
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class ToMake:
    """`root` is the folder of models that it comes to; `size` about."""

    host: str
    instance: str
    file_type: str
    root: str
    size: int = 0

    @property
    def need(self) -> str:
        return (
            f"{self.host}/{self.instance}: llama-quantize, which makes its model {self.file_type}"
        )


def to_make(site: Site, sources: Sources) -> Iterator[ToMake]:
    """Of models that lie on their host already too. Raises XgenError where a source is nothing to
    make one of, HubError."""
    sizes = {}
    for host in site.hosts.values():
        for wanted in wanted_models(site, host):
            if wanted.quantize is not None:
                described = sources.describe(wanted.request)
                where = f"{host.name}/{wanted.instance}"
                sizes[host.name, wanted.instance] = _size(where, described, wanted.quantize)
    for config in site.declared:
        if config.quantize is not None:
            root = site.hosts[config.host].model_dir
            size = sizes.get((config.host, config.name), 0)
            yield ToMake(config.host, config.name, config.quantize, root, size)


def _size(where: str, described: Described, file_type: str) -> int:
    artifact = described.artifact
    source = ModelFacts(
        key=artifact.name,
        format="hf" if described.gguf is None else "gguf",
        size=artifact.size,
        gguf=described.gguf,
    )
    try:
        return outcome_of(source, file_type).size
    except CannotQuantize as error:
        raise XgenError(
            f"{where}: {artifact.name} cannot be made {file_type}: {error.reason}\n  {error.hint}"
        ) from None
