"""Which host of a group gets which replica of a model that is spread over it. Pure.

The manifest gives every host all of the replicas; here each is left to one host: the one that has
it, else the one with the fewest and the most room that can take it.
"""

from collections import Counter
from collections.abc import Iterator

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.host import resolve_host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.site import Site


def with_spread(site: Site, observed: Observed) -> Site:
    """A replica on a host that was not looked at counts as there, and is not started elsewhere."""
    owned = _owned(site, observed)
    fixed = tuple(c for c in site.declared if c.spread is None or owned.get(c.name) == c.host)
    placed = replace(site, declared=fixed)
    warnings = []
    for name in unplaced(site, observed):
        unseen = sorted(_unseen(site, observed, name))
        if unseen:
            warnings.append(
                f"{name} is not placed: {', '.join(unseen)} was not looked at and may run it"
            )
            continue
        placed = _with_replica(placed, observed, [c for c in site.declared if c.name == name])
    order = {(c.host, c.name): at for at, c in enumerate(site.declared)}
    declared = sorted(placed.declared, key=lambda c: order[c.host, c.name])
    return replace(site, declared=tuple(declared), warnings=(*site.warnings, *warnings))


def unplaced(site: Site, observed: Observed) -> tuple[str, ...]:
    """Replicas that no host has that was looked at."""
    owned = _owned(site, observed)
    names = (c.name for c in site.declared if c.spread is not None and c.name not in owned)
    return tuple(dict.fromkeys(names))


def _owned(site: Site, observed: Observed) -> dict[str, str]:
    spread = [c for c in site.declared if c.spread is not None]
    return {c.name: c.host for c in reversed(spread) if _has(observed.get(c.host), c.name)}


def _has(observation: object, name: str) -> bool:
    record = observation.record if isinstance(observation, Observation) else None
    return record is not None and (name in record.instances or name in record.pending)


def _unseen(site: Site, observed: Observed, name: str) -> Iterator[str]:
    for config in (*site.declared, *site.elsewhere):
        if config.name == name and config.spread is not None:
            observation = observed.get(config.host)
            if not isinstance(observation, Observation) or observation.record is None:
                yield config.host


def _with_replica(site: Site, observed: Observed, candidates: list[InstanceConfig]) -> Site:
    """On the first host that can take it; on the first of all where none can, so that it says why
    not.
    """
    replicas = Counter(c.host for c in site.declared if c.model == candidates[0].model)
    ordered = sorted(candidates, key=lambda c: _preference(c, replicas[c.host], observed[c.host]))
    for config in ordered:
        trial = replace(site, declared=(*site.declared, config))
        if _takes(trial, config, observed[config.host]):
            return trial
    return replace(site, declared=(*site.declared, ordered[0]))


def _preference(config: InstanceConfig, replicas: int, observation: object) -> tuple[float, int]:
    """Fewest replicas first, with `spread: gpu` for each of its GPUs; then the most free memory."""
    if not isinstance(observation, Observation):
        return float(replicas), 0
    gpus = observation.facts.gpu.devices
    free = sum(g.memory_free_mb or 0 for g in gpus)
    per = len(gpus) if config.spread == "gpu" else 1
    return replicas / max(1, per), -(free or observation.facts.memory_available_mb or 0)


def _takes(site: Site, config: InstanceConfig, observation: object) -> bool:
    if not isinstance(observation, Observation) or observation.record is None:
        return False
    resolved = resolve_host(
        site,
        site.hosts[config.host],
        observation.facts,
        observation.record,
        observation.layout,
    )
    return any(instance.name == config.name for instance in resolved.instances)
