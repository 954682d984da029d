"""Whether the shares of GPU memory that instances reserve at their start fit together.

Such an engine does not start where less than its share of a GPU's whole memory is free.
"""

from collections.abc import Sequence

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.refuse import refuse

_SMALLEST = 0.05


def share_of(spec: Spec) -> float:
    """The share of each of its GPUs that an instance asks for; 0 where it takes what it needs."""
    backend = backend_named(spec.backend)
    taken = backend.memory_share(spec) if backend else None
    return taken.share if taken else 0.0


def check_memory(instance: Instance, before: Sequence[Instance]) -> None:
    """Raises Refused, with the share that would fit. `before` are the instances before it on its
    host. What other processes hold is no reason: they may go.
    """
    backend, declared = backend_named(instance.spec.backend), instance.declared
    request = backend.memory_share(instance.spec) if backend else None
    if backend is None or request is None:
        return
    for gpu in instance.gpus:
        beside = [i for i in before if gpu.names & set(i.spec.gpus) and share_of(i.spec)]
        left = 1.0 - sum(share_of(i.spec) for i in beside)
        if request.share <= left + 1e-9:
            continue
        holders = " and ".join(f"{share_of(i.spec):g} is {i.name}'s" for i in beside)
        raise refuse(
            declared,
            f"{backend.title} would take {request.share:g} of GPU {gpu.label}'s memory"
            f"{'' if request.stated else ' (its default)'}, of which {holders}",
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
