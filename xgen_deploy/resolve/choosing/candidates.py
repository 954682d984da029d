"""The GPUs of a host that an instance could be given, in the order of trying. Pure."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from xgen_deploy.state.gpu import GPUInfo

Free = Callable[[GPUInfo], int]
Set = tuple[GPUInfo, ...]


def gpu_sets(gpus: Sequence[GPUInfo], free: Free, count: int | None) -> Iterator[Set]:
    """The tightest first, so that large gaps are kept for large models: one GPU, then several of
    one kind. `count` None: as few as hold it. Of those that are alike, the first.
    """
    kinds = [list(kind) for _, kind in groupby(sorted(gpus, key=_kind), key=_kind)]
    most = max((len(kind) for kind in kinds), default=0)
    for size in (count,) if count is not None else range(1, most + 1):
        yield from _of_size(size, kinds, free)


def _of_size(size: int, kinds: Sequence[Sequence[GPUInfo]], free: Free) -> Iterator[Set]:
    windows = []
    for kind in kinds:
        ordered = sorted(kind, key=lambda g: (free(g), g.index))
        windows += [tuple(ordered[at : at + size]) for at in range(len(ordered) - size + 1)]
    seen = set()
    for window in sorted(windows, key=lambda w: (sum(map(free, w)), [g.index for g in w])):
        alike = (_kind(window[0]), tuple(map(free, window)))
        if alike not in seen:
            seen.add(alike)
            yield tuple(sorted(window, key=lambda g: g.index))


def _kind(gpu: GPUInfo) -> tuple[str, str, int]:
    """MIG instances are no kind to be joined: each is its own."""
    own = gpu.identity if gpu.card is not None else ""
    return (gpu.device_name or gpu.gpu_type, own, gpu.memory_total_mb or 0)
