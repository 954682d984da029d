"""Whether a new instance and one that leaves fit on a host at the same time. Pure."""

from typing import Literal

from xgen_deploy.backends.forecasting import forecast_of
from xgen_deploy.plan.strategy import needed_mib
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.plan import Operation
from xgen_deploy.state.record import InstanceRecord

_MIB = 1 << 20


def compete(last: InstanceRecord | None, new: Operation, facts: HostFacts) -> bool:
    """For the same GPU, the same port, or on the CPU for memory that is known not to hold both.
    `last` is what goes; where the record does not know it, everything is in question.
    """
    if new.instance is None:
        return False
    if last is None:
        return True
    if last.spec.port == new.instance.spec.port:
        return True
    leaving_gpus, new_gpus = _gpus(last.spec.gpus, facts), _gpus(new.instance.spec.gpus, facts)
    if leaving_gpus or new_gpus:
        return bool(leaving_gpus & new_gpus)
    needed, free = _memory(new.instance, last, facts), facts.memory_available_mb
    return needed is not None and free is not None and needed > free


def takes_over(
    new: Operation, leaving: Operation, last: InstanceRecord | None, facts: HostFacts
) -> Literal["GPU", "port"] | None:
    """What `new` is given that `leaving`, another instance's update, goes away from."""
    if new.instance is None or leaving.instance is None or last is None:
        return None
    left = _gpus(last.spec.gpus, facts) - _gpus(leaving.instance.spec.gpus, facts)
    if left & _gpus(new.instance.spec.gpus, facts):
        return "GPU"
    freed = last.spec.port == new.instance.spec.port != leaving.instance.spec.port
    return "port" if freed else None


def _gpus(names: tuple[str, ...], facts: HostFacts) -> frozenset[str]:
    """One identity for each card, by whatever name it is recorded; a missing one keeps its name."""
    known = {name: g.identity for g in facts.gpu.devices for name in g.names}
    return frozenset(known.get(name, name) for name in names)


def _memory(new: Instance, last: InstanceRecord, facts: HostFacts) -> float | None:
    """MiB: what it is forecast to take, or what the engine reported where it is the same model,
    else the model file's size."""
    told = forecast_of(new, facts.models)
    if told is not None:
        return told.host.total / _MIB
    if last.spec.model == new.spec.model and last.report is not None:
        return needed_mib(last.report, None, 1.0)
    sizes = {m.path: m.size for m in facts.models}
    size = sizes.get(new.spec.model_path)
    return size / _MIB if size else None
