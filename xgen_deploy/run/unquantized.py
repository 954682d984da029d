"""Models that a host is to make of others: what they will be takes their place."""

from collections.abc import Container
from dataclasses import replace

from xgen_deploy import frozen
from xgen_deploy.resolve.locked import KNOWN, digests_at, is_other, locked_as, request_of
from xgen_deploy.resolve.quantize import to_quantize
from xgen_deploy.resolve.quantized import forecast_of
from xgen_deploy.resolve.quantized_size import CannotQuantize
from xgen_deploy.resolve.stated_files import StatedFile, model_files
from xgen_deploy.state.facts import HostFacts, ModelFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.quantize import Quantizing
from xgen_deploy.state.site import Site


def with_quantized(
    site: Site,
    host: Host,
    facts: HostFacts,
    models: dict[str, ModelFacts],
    coming: Container[str],
) -> tuple[Quantizing, ...]:
    """What is to be made, and in `models`, by their keys, what that will be. There the sources of
    those that are `coming` have their place until then."""
    found: dict[str, Quantizing] = {}
    for config in site.on(host.name):
        for stated in model_files(config):
            model = models.get(stated.key)
            if stated.quantize is None or model is None:
                continue
            if stated.key in found:
                known = found[stated.key]
                found[stated.key] = replace(known, instances=(*known.instances, config.name))
                continue
            source = model if stated.key in coming else model.unquantized
            if source is None:
                continue
            try:
                made = _checked(site, host, facts, config, stated, source)
            except CannotQuantize as error:
                reason = f"it cannot be made {stated.quantize}: {error.reason}"
                models[stated.key] = ModelFacts(
                    key=stated.key, path=source.path, error=reason, hint=error.hint
                )
                continue
            found[stated.key] = made
            models[stated.key] = forecast_of(made, source)
    return tuple(found.values())


def _checked(
    site: Site,
    host: Host,
    facts: HostFacts,
    config: InstanceConfig,
    stated: StatedFile,
    source: ModelFacts,
) -> Quantizing:
    """Raises CannotQuantize."""
    source, digests = frozen.replace(source, key=stated.key), {}
    if not (source.state or "").startswith(KNOWN) and config.sha256 is not None:
        digests = {source.path or "": config.sha256.lower()}
    locked = locked_as(config, stated)
    entry = site.lock.entry(request_of(config, stated)) if site.lock is not None else None
    if locked is not None and entry is not None:
        if is_other(source, locked):
            raise CannotQuantize(
                f"{source.path} is not what the lock file says",
                "Remove it from the host, and the locked one is brought.",
            )
        if source.state != locked.content:
            source = frozen.replace(source, state=locked.content)
            digests = digests_at(source.path or "", entry)
    return to_quantize(config, host, facts, source, sha256=digests)
