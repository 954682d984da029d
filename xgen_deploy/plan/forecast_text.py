"""The lines of a plan about the memory that an instance will take. Pure."""

from collections.abc import Iterator

from xgen_deploy.sizes import size_text
from xgen_deploy.state.forecast import Need
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance

_MIB = 1 << 20


def forecast_lines(instance: Instance) -> Iterator[str]:
    """Nothing where it is not known."""
    told = instance.forecast
    if told is None:
        return
    about = "" if told.exact else "about "
    for gpu, need in zip(instance.gpus, told.devices, strict=False):
        yield f"takes {about}{_need(need)} of GPU {gpu.index}{_free(gpu)}"
    if told.host.total:
        yield f"takes {about}{_need(told.host)} of the host's memory"
    if told.share is not None and told.share.request and told.fails is None:
        requests = f"{told.share.concurrency:.1f}"
        yield f"holds {requests} requests of {instance.spec.n_ctx} tokens at once"
    if told.fails is not None:
        yield told.fails
    if told.on_cpu is not None:
        yield told.on_cpu
    yield from told.notes


def _need(need: Need) -> str:
    parts = (
        ("weights", need.weights),
        ("cache", need.cache),
        ("compute", need.compute + need.output),
    )
    detail = ", ".join(f"{name} {size_text(count)}" for name, count in parts if count)
    return f"{size_text(need.total)} ({detail})" if detail else size_text(need.total)


def _free(gpu: GPUInfo) -> str:
    if gpu.memory_free_mb is None:
        return ""
    return f", {size_text(gpu.memory_free_mb * _MIB)} are free"
