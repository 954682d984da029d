"""Whether the shares of memory that vLLM instances take fit on their GPUs together.

At its start each takes its share of a GPU's whole memory, and does not start where less than
that is free (vllm/v1/worker/utils.py, request_memory).
"""

from collections.abc import Sequence

from xgen_deploy.resolve.refuse import refuse
from xgen_deploy.state.gpu import GPUInfo, GPUProcess
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig

DEFAULT_SHARE = 0.92  # vLLM 0.32, vllm/config/cache.py
_SMALLEST = 0.05


def share_of(spec: Spec) -> float:
    """The share of each of its GPUs that an instance asks for; 0 where vLLM does not serve."""
    if not spec.backend.startswith("vllm") or not spec.gpus:
        return 0.0
    return spec.vllm.gpu_memory_utilization or DEFAULT_SHARE


def check_memory(
    declared: InstanceConfig,
    spec: Spec,
    gpus: tuple[GPUInfo, ...],
    before: Sequence[Instance],
    own: frozenset[str],
    *,
    starts: bool,
) -> None:
    """Raises Refused, with the share that would fit. `before` are the instances decided so far,
    `own` parts of the cgroups of this project. What others hold on a GPU counts where the
    instance `starts`: one that runs already has its share.
    """
    wanted = share_of(spec)
    for gpu in gpus if wanted else ():
        beside = [i for i in before if gpu.names & set(i.spec.gpus) and share_of(i.spec)]
        taken = sum(share_of(i.spec) for i in beside)
        foreign = _foreign_share(gpu, own) if starts else 0.0
        left = 1.0 - taken - foreign
        if wanted <= left + 1e-9:
            continue
        holders = [f"{share_of(i.spec):g} is {i.name}'s" for i in beside]
        if foreign:
            holders.append(f"{_up(foreign):g} is held by {_names(gpu, own)}")
        stated = spec.vllm.gpu_memory_utilization is not None
        raise refuse(
            declared,
            f"vLLM would take {wanted:g} of GPU {gpu.index}'s memory"
            f"{'' if stated else ' (its default)'}, of which {' and '.join(holders)}",
            _hint(left, len(beside)),
            "vllm.gpu_memory_utilization",
        )


def _hint(left: float, beside: int) -> str:
    each = int(95 / (beside + 1)) / 100
    even = f"; {each:g} for each would do" if beside else ""
    if left < _SMALLEST:
        return f"give it another GPU, or state smaller shares{even}"
    fits = int(left * 100) / 100
    return f"state gpu_memory_utilization: {fits:g} or less here, or give it another GPU{even}"


def _foreign_share(gpu: GPUInfo, own: frozenset[str]) -> float:
    """Of the whole; 0 where nothing is known."""
    if not gpu.memory_total_mb:
        return 0.0
    return sum(p.memory_mb or 0 for p in _foreign(gpu, own)) / gpu.memory_total_mb


def _foreign(gpu: GPUInfo, own: frozenset[str]) -> list[GPUProcess]:
    """Processes that hold memory and are not this project's, by the cgroup they run in; where
    that is unknown nothing is held against anybody.
    """
    return [p for p in gpu.processes if p.cgroup and not any(o in p.cgroup for o in own)]


def _names(gpu: GPUInfo, own: frozenset[str]) -> str:
    found = [f"{p.name or 'a process'} (pid {p.pid})" for p in _foreign(gpu, own)]
    return ", ".join(found)


def _up(share: float) -> float:
    return -int(-share * 100 - 0.999) / 100
