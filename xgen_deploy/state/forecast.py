"""What an instance will take of memory, forecast before it starts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """Bytes of one device, as the engine names its buffers."""

    weights: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.compute


@dataclass(frozen=True)
class Forecast:
    """Of each device in order, and of the host, whose weights are those that it computes with: they
    may be mapped from the file. `exact` False: the compute buffers are an estimate. `notes` say
    what is not counted.
    """

    devices: tuple[Need, ...]
    host: Need
    exact: bool
    notes: tuple[str, ...] = ()
