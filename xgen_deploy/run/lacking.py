"""Models and engine builds that hosts have not got and that can be brought: what is known of them
takes the place of what the hosts lack, so that a plan can be made before anything is fetched.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xgen_deploy import frozen
from xgen_deploy.files.places import content_state, places
from xgen_deploy.files.routes import mode_of
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Described, Sources
from xgen_deploy.resolve.locked import keys_to_bring, lockable, request_of
from xgen_deploy.run.engine_archives import lacking_builds
from xgen_deploy.run.unquantized import with_quantized
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.fetch import FetchMode, Lacking, Places
from xgen_deploy.state.host import Host
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site
from xgen_deploy.state.source_request import Request


@dataclass(frozen=True)
class WantedModel:
    """`key` is its key in the probe's answers, `instance` the one that loads it, or what is made of
    it (`quantize`)."""

    key: str
    request: Request
    mode: FetchMode
    instance: str
    quantize: str | None = None


def with_lacking(site: Site, observed: Observed, catalog: Sources) -> Observed:
    """Sources are asked only for models that a host has not got. Where one cannot be asked, the
    model stays missing and its error says why."""
    return {
        name: _completed(site, site.hosts[name], o, catalog) if isinstance(o, Observation) else o
        for name, o in observed.items()
    }


def _completed(site: Site, host: Host, observation: Observation, catalog: Sources) -> Observation:
    missing = keys_to_bring(site, host, observation.facts)
    builds = lacking_builds(site, host, observation.facts.engines, catalog)
    if not missing and not builds:
        return observation
    models = {m.key: m for m in observation.facts.models}
    missing -= {key for key, model in models.items() if model.unquantized is not None}
    lacking: dict[str, Lacking] = {}
    for wanted in wanted_models(site, host):
        key = wanted.key
        if key not in missing:
            continue
        if key in lacking:
            instances = (*lacking[key].instances, wanted.instance)
            lacking[key] = replace(lacking[key], instances=instances)
            continue
        try:
            described = catalog.describe(wanted.request)
            if described.unavailable is not None:
                raise described.unavailable
        except HubError as error:
            models[key] = _told(models[key], error)
            continue
        found = places(
            described.artifact,
            model_dir=host.model_dir,
            hf_home=host.hf_home,
        )
        models[key] = _coming(key, described, found)
        lacking[key] = Lacking(
            key=key,
            artifact=described.artifact,
            places=found,
            mode=wanted.mode,
            instances=(wanted.instance,),
        )
    coming = {(e.backend, e.binary): e for build in builds for e in build.engines}
    quantizing = with_quantized(site, host, observation.facts, models, lacking.keys())
    facts = frozen.replace(
        observation.facts,
        models=tuple(models.values()),
        engines=tuple(coming.get((e.backend, e.binary), e) for e in observation.facts.engines),
    )
    brought = (*lacking.values(), *(build.lacking for build in builds))
    lacks = (*observation.lacking, *brought)
    return replace(observation, facts=facts, lacking=lacks, quantizing=quantizing)


def wanted_models(site: Site, host: Host) -> Iterator[WantedModel]:
    """What may be brought to a host, as it is asked for; the same one for each of its instances."""
    for config in site.on(host.name):
        mode = mode_of(config, host)
        if mode == "never":
            continue
        for stated in lockable(config, host):
            request = request_of(config, stated)
            yield WantedModel(stated.key, request, mode, config.name, stated.quantize)


def _told(model: ModelFacts, error: HubError) -> ModelFacts:
    hint = f". {error.hint}" if error.hint else ""
    return frozen.replace(model, error=f"{model.error}, and {error.reason}{hint}")


def _coming(key: str, described: Described, found: Places) -> ModelFacts:
    return ModelFacts(
        key=key,
        path=found.path,
        format="gguf" if described.gguf is not None else "hf",
        size=described.artifact.size,
        state=content_state(described.artifact),
        gguf=described.gguf,
        config=described.config,
        config_format=described.config_format,
    )
