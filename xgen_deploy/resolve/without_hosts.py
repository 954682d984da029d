"""What the plan will say of a manifest whatever its hosts have: told by `validate`. Pure."""

from collections.abc import Iterator

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.resolve.engines import build_named
from xgen_deploy.state.endpoint import LOOPBACK
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site


def foreseen(site: Site) -> tuple[str, ...]:
    """Sentences that begin with the place in the manifest, each once."""
    sentences = [text for config in site.declared for text in _of(site, config)]
    return tuple(dict.fromkeys(sentences))


def _of(site: Site, config: InstanceConfig) -> Iterator[str]:
    place = config.marks[""]
    engines = engine_words().chosen_by(config.backend)
    if not any(build_named(config, config.runtime, engine.name) for engine in engines):
        table = "images" if config.runtime == "docker" else "binaries"
        names = ", ".join(engine.name for engine in engines)
        yield (
            f"{place}: `{table}` of the manifest and `xgen_{table}` of {config.host} name nothing "
            f"that could serve {config.name} ({names})"
        )
    gateways = set(site.gateway.hosts or ()) if site.gateway else set()
    if gateways - {config.host} and config.listen in LOOPBACK:
        others = ", ".join(sorted(gateways - {config.host}))
        yield (
            f"{config.marks.get('listen', place)}: {config.name} on {config.host} listens on "
            f"{config.listen}, where the gateway on {others} cannot reach it"
        )
