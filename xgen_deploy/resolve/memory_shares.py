"""Whether the shares of GPU memory that instances reserve at their start fit together.

Such an engine does not start where less than its share of a GPU's whole memory is free.
"""

from collections.abc import Sequence

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.gpu import GPUInfo, GPUProcess
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.refuse import refuse

_SMALLEST = 0.05


def share_of(spec: Spec) -> float:
    """The share of each of its GPUs that an instance asks for; 0 where it takes what it needs."""
    backend = backend_named(spec.backend)
    taken = backend.memory_share(spec) if backend else None
    return taken.share if taken else 0.0


def check_memory(
    instance: Instance, before: Sequence[Instance], own: frozenset[str], *, starts: bool
) -> None:
    """Raises Refused, with the share that would fit. `before` are the instances before it on its
    host, `own` parts of the cgroup paths of this project. Memory that other processes hold counts
    where the instance `starts`: one that runs has its share already.
    """
    backend, declared = backend_named(instance.spec.backend), instance.declared
    request = backend.memory_share(instance.spec) if backend else None
    if backend is None or request is None:
        return
    for gpu in instance.gpus:
        beside = [i for i in before if gpu.names & set(i.spec.gpus) and share_of(i.spec)]
        taken = sum(share_of(i.spec) for i in beside)
        foreign = _foreign_share(gpu, own) if starts else 0.0
        left = 1.0 - taken - foreign
        if request.share <= left + 1e-9:
            continue
        holders = [f"{share_of(i.spec):g} is {i.name}'s" for i in beside]
        if foreign:
            holders.append(f"{_up(foreign):g} is held by {_names(gpu, own)}")
        raise refuse(
            declared,
            f"{backend.title} would take {request.share:g} of GPU {gpu.label}'s memory"
            f"{'' if request.stated else ' (its default)'}, of which {' and '.join(holders)}",
            _hint(request.setting, left, len(beside)),
            request.setting,
        )


def _hint(setting: str, left: float, beside: int) -> str:
    each = int(95 / (beside + 1)) / 100
    even = f"; {each:g} for each would fit" if beside else ""
    if left < _SMALLEST:
        return f"Give it another GPU, or state smaller shares{even}."
    fits = int(left * 100) / 100
    name = setting.rpartition(".")[2]
    return f"State `{name}: {fits:g}` or less here, or give it another GPU{even}."


def _foreign_share(gpu: GPUInfo, own: frozenset[str]) -> float:
    """The share of the GPU's memory that other processes hold; 0 where unknown."""
    if not gpu.memory_total_mb:
        return 0.0
    return sum(p.memory_mb or 0 for p in _foreign(gpu, own)) / gpu.memory_total_mb


def _foreign(gpu: GPUInfo, own: frozenset[str]) -> list[GPUProcess]:
    """Processes that hold memory and run in a cgroup that is not this project's; those without a
    known cgroup are left out.
    """
    return [p for p in gpu.processes if p.cgroup and not any(o in p.cgroup for o in own)]


def _names(gpu: GPUInfo, own: frozenset[str]) -> str:
    return ", ".join(f"{p.name or 'a process'} (pid {p.pid})" for p in _foreign(gpu, own))


def _up(share: float) -> float:
    return -int(-share * 100 - 0.999) / 100
