"""Chooses what the manifest leaves to the tool: GPUs, context, layers, their split. Pure.

One GPU is tried first, then several of one kind, and only then a part on the CPU. What was chosen
before stays while it fits: a better choice is no reason to start anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from xgen_deploy.resolve.choosing.available import Available
from xgen_deploy.resolve.choosing.candidates import Set, gpu_sets
from xgen_deploy.resolve.choosing.placing import Fit, Placing, with_choice
from xgen_deploy.resolve.choosing.reasons import reasons
from xgen_deploy.resolve.gpus import Picked, pick_gpus, unreserved
from xgen_deploy.resolve.inputs import HostInputs
from xgen_deploy.resolve.ways_out import hint_of, ways_out
from xgen_deploy.state.choice import Choice, GPUCount
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import Refused, refuse


@dataclass(frozen=True)
class Chosen:
    """`config` has nothing left open; `why` is for the reader of the plan."""

    config: InstanceConfig
    picked: Picked
    choice: Choice | None = None
    why: tuple[str, ...] = ()


def choose(config: InstanceConfig, inputs: HostInputs, before: Sequence[Instance]) -> Chosen:
    """`before` are the host's instances that were resolved already. Raises Refused where nothing
    fits, or where that cannot be known.
    """
    picked = None if picks_gpus(config) else _picked(config, inputs)
    if picked is not None and len(picked.gpus) < 2 and not is_left_open(config):
        return Chosen(config, picked)
    available = Available(
        name=config.name,
        model=config.model,
        rooms=inputs.rooms,
        record=inputs.record,
        files=inputs.facts.models,
        before=before,
        leaving=inputs.leaving,
    )
    kept = _kept(config, inputs, available, picked)
    if kept is not None:
        return _chosen(config, picked, kept)
    if picked is not None and not is_left_open(config):
        split = Placing(config, inputs, available, picked.gpus).split()
        return Chosen(config, picked) if split is None else _chosen(config, picked, split)
    fit = _best(config, inputs, available, picked)
    return _chosen(config, picked, fit, reasons(available, fit))


def is_left_open(config: InstanceConfig) -> bool:
    return picks_gpus(config) or "auto" in (config.n_ctx, config.n_gpu_layers)


def picks_gpus(config: InstanceConfig) -> bool:
    return config.gpus == "auto" or isinstance(config.gpus, GPUCount)


def _chosen(
    config: InstanceConfig, picked: Picked | None, fit: Fit, why: tuple[str, ...] = ()
) -> Chosen:
    concrete = with_choice(config, fit.choice, fit.gpus)
    return Chosen(concrete, picked or Picked(fit.gpus, {}), fit.choice, why)


def _picked(config: InstanceConfig, inputs: HostInputs) -> Picked:
    last = inputs.record.instances.get(config.name)
    return pick_gpus(
        config,
        inputs.host,
        inputs.facts.gpu.gpus,
        last.pins if last else {},
        last.spec.gpus if last else (),
        repin=inputs.repin,
    )


def _kept(
    config: InstanceConfig, inputs: HostInputs, available: Available, picked: Picked | None
) -> Fit | None:
    """As it was chosen before: by the plan that is carried out, else where that runs or still fits.
    What was applied before a split was stated stays without one.
    """
    last = inputs.record.instances.get(config.name)
    recorded = last.declared.chosen if last is not None and last.declared is not None else None
    choices = [] if inputs.rebalance else [recorded]
    choices += [] if is_left_open(config) else [Choice()]
    for choice in (config.chosen, *choices):
        if choice is None or not _answers(config, choice):
            continue
        gpus = _those(choice.gpus, inputs) if picked is None else picked.gpus
        if gpus is None:
            continue
        if choice is config.chosen:
            return Fit(gpus, choice, choice.n_ctx or 0)
        fit = _tried(Placing(config, inputs, available, gpus), choice)
        if fit is not None:
            return fit
    return None


def _tried(placing: Placing, choice: Choice) -> Fit | None:
    try:
        return placing.as_before(choice)
    except Refused:  # not to be had any more
        return None


def _answers(config: InstanceConfig, choice: Choice) -> bool:
    """Whether it chose all that is left open now."""
    return (
        (choice.n_ctx is not None or config.n_ctx != "auto")
        and (choice.n_gpu_layers is not None or config.n_gpu_layers != "auto")
        and (not isinstance(config.gpus, GPUCount) or len(choice.gpus or ()) == config.gpus.count)
        and (choice.gpus is not None or not picks_gpus(config))
    )


def _those(identities: tuple[str, ...] | None, inputs: HostInputs) -> Set | None:
    """None where one of them is gone, or is not for us any more."""
    usable = _usable(inputs)
    gpus = [next((g for g in usable if name in g.names), None) for name in identities or ()]
    kept = tuple(g for g in gpus if g is not None)
    return kept if len(kept) == len(gpus) else None


def _usable(inputs: HostInputs) -> Set:
    return unreserved(inputs.facts.gpu.devices, inputs.facts.gpu.gpus, inputs.host)


def _best(
    config: InstanceConfig, inputs: HostInputs, available: Available, picked: Picked | None
) -> Fit:
    sets = [picked.gpus] if picked is not None else list(_sets(config, inputs, available))
    placings = [Placing(config, inputs, available, gpus) for gpus in sets]
    refusals: list[Refused] = []
    for _, stage in groupby(placings, key=lambda p: len(p.gpus)):
        fits = _fits((p.whole for p in stage), refusals)
        if fits:
            return max(fits, key=lambda f: f.quality)  # the first of equals
    if config.n_gpu_layers == "auto":
        fits = _fits((p.partial for p in placings), refusals)
        if fits:
            return max(fits, key=lambda f: f.quality)
    if refusals:
        raise refusals[0]
    raise _nothing(config, placings)


def _fits(ways: Iterable[Callable[[], Fit | None]], refusals: list[Refused]) -> list[Fit]:
    """Up to the first that leaves nothing to wish for."""
    fits = []
    for way in ways:
        try:
            fit = way()
        except Refused as error:
            refusals.append(error)
            continue
        if fit is not None:
            fits.append(fit)
            if fit.full:
                break
    return fits


def _sets(config: InstanceConfig, inputs: HostInputs, available: Available) -> Iterator[Set]:
    count = config.gpus.count if isinstance(config.gpus, GPUCount) else None
    usable = _usable(inputs)
    if config.spread == "gpu":
        usable = _without_replicas(usable, config, inputs, available) or usable
    if not usable and count is None:
        yield ()
        return
    if len(usable) < (count or 1):
        raise refuse(
            config,
            f"{count} GPU{'s were' if count != 1 else ' was'} asked for, and {config.host} has "
            f"{len(usable)} to give",
            "State a smaller `count`, or place it on another host.",
            "gpus",
        )
    free = {g.identity: available.of(g) or 0 for g in usable}
    yield from gpu_sets(usable, lambda g: free[g.identity], count)


def _without_replicas(
    gpus: Set, config: InstanceConfig, inputs: HostInputs, available: Available
) -> Set:
    taken = {
        gpu
        for name, last in inputs.record.instances.items()
        if last.spec.model == config.model and name not in {config.name, *inputs.leaving}
        for gpu in last.spec.gpus
    } | {g for i in available.before if i.spec.model == config.model for g in i.spec.gpus}
    return tuple(g for g in gpus if not g.names & taken)


def _nothing(config: InstanceConfig, placings: list[Placing]) -> Refused:
    if not placings:
        reason = f"{config.host} has not so many GPUs of one kind"
        return refuse(config, reason, "State them one by one.", "gpus")
    shortage = min((p.shortage for p in placings), key=lambda s: s.bytes)
    return refuse(
        config,
        f"no place on {config.host} holds it: {shortage.reason}",
        hint_of(ways_out(shortage.asked)),
        "gpus" if picks_gpus(config) else "n_ctx",
    )
