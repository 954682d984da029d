"""A host's values of the last hour, in a few kilobytes."""

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.live.values import HostValues

_EVERY = 15.0  # seconds between two points
_POINTS = 240
_CURVES = 4000  # more no host has


@dataclass(frozen=True)
class Curves:
    """`at` are seconds since the epoch; each of `values` has one for each of them, None where it
    was not known. Names: `gpu/0/memory_used_mb`, `gpu/0/utilization_percent`,
    `instance/NAME/tokens_per_second`, `instance/NAME/waiting`, `instance/NAME/running`.
    """

    at: tuple[float, ...]
    values: dict[str, tuple[float | None, ...]]


class LastHour:
    """Written by one thread; whoever reads gets copies."""

    def __init__(self) -> None:
        self._at = array("d")
        self._values: dict[str, array[float]] = {}

    def add(self, values: HostValues) -> None:
        """Left out where the last point is a moment old."""
        if self._at and values.at - self._at[-1] < _EVERY:
            return
        now = dict(_named(values))
        for name in sorted(now.keys() - self._values.keys())[: _CURVES - len(self._values)]:
            self._values[name] = array("d", [math.nan] * len(self._at))
        for name, curve in self._values.items():
            curve.append(now.get(name, math.nan))
        self._at.append(values.at)
        if len(self._at) > _POINTS:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        del self._at[0]
        for name, curve in list(self._values.items()):
            del curve[0]
            if all(map(math.isnan, curve)):
                del self._values[name]

    def curves(self) -> Curves:
        at = tuple(self._at)
        values = {
            name: tuple(None if math.isnan(v) else v for v in curve)
            for name, curve in list(self._values.items())
            if len(curve) == len(at)
        }
        return Curves(at, values)


def _named(values: HostValues) -> Iterator[tuple[str, float]]:
    for gpu in values.gpus:
        for what in ("memory_used_mb", "utilization_percent"):
            value = getattr(gpu, what)
            if value is not None:
                yield f"gpu/{gpu.index}/{what}", float(value)
    for name, rates in values.instances.items():
        for what in ("tokens_per_second", "waiting", "running"):
            value = getattr(rates, what)
            if value is not None:
                yield f"instance/{name}/{what}", float(value)
