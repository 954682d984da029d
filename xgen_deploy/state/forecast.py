"""What an instance will take of memory, forecast before it starts."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """Bytes of one device, as the engine names its buffers. `output` is where results are handed
    over: the host's alone."""

    weights: int
    cache: int
    compute: int
    output: int = 0

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute + self.output


@dataclass(frozen=True)
class Share:
    """Of an engine that takes a share of its GPUs at its start, whatever the model needs. `request`
    is what one request of the whole context needs of the cache on each GPU, `room` what is left
    for the cache where there is least, and `concurrency` how many such requests it holds.
    `allowance` of this is only taken: nobody knows before its first run.
    """

    request: int
    room: int
    concurrency: float
    allowance: int


@dataclass(frozen=True)
class Forecast:
    """Of each device in order, and of the host, whose weights are those that it computes with: they
    may be mapped from the file. `exact` False: the compute buffers are an estimate. `certain`
    False: weights and caches are one too. `placed` False: only their sum over the devices is known,
    not which has what. `notes` say what is not counted. `fails` is why the engine would not start,
    whatever else is on its GPUs, and `ways_out` what would do, as lines for a manifest. `on_cpu` is
    what would run there although GPUs are to do it, and why.
    """

    devices: tuple[Need, ...]
    host: Need
    exact: bool
    notes: tuple[str, ...] = ()
    certain: bool = True
    placed: bool = True
    share: Share | None = None
    fails: str | None = None
    ways_out: tuple[str, ...] = ()
    on_cpu: str | None = None

    def fits(self, free: Sequence[int]) -> bool:
        """Whether so many bytes of each device hold it."""
        return all(need.total <= room for need, room in zip(self.devices, free, strict=True))

    def least(self, need: Need) -> int | None:
        """What it takes at least of where that need is; None where that is not known."""
        if not self.certain:
            return None
        return need.total if self.exact else need.weights + need.cache
