"""Which device has which layer. As llama.cpp's `llama_model::load_tensors`."""

import struct
from dataclasses import dataclass

from xgen_deploy.fit.settings import ALL, Settings
from xgen_deploy.fit.shape import ModelShape

HOST = None


@dataclass(frozen=True)
class Placement:
    """By slot, the output layer last: the number of its device, None for the host."""

    slots: tuple[int | None, ...]

    @property
    def output(self) -> int | None:
        return self.slots[-1]

    def blocks_on(self, device: int | None) -> list[int]:
        return [i for i, place in enumerate(self.slots[:-1]) if place == device]


def place(settings: Settings, model: ModelShape) -> Placement:
    count = model.blocks + 1
    devices = len(settings.devices)
    layers = count if settings.layers == ALL else min(settings.layers, count)
    start = max(count - layers, 0)
    if not devices:
        return Placement((HOST,) * count)
    bounds = _bounds(settings, devices)
    slots: list[int | None] = []
    for slot in range(count):
        if slot < start:
            slots.append(HOST)
            continue
        share = _float((slot - start) / max(1, layers))
        slots.append(next((d for d, bound in enumerate(bounds) if bound > share), devices - 1))
    return Placement(tuple(slots))


def _bounds(settings: Settings, devices: int) -> list[float]:
    """Cumulative shares, in the engine's own precision."""
    if settings.one_device:
        return [1.0 if d >= settings.main_device else 0.0 for d in range(devices)]
    split = settings.split or (1.0,) * devices
    sums: list[float] = []
    total = 0.0
    for share in (*split, *(0.0,) * devices)[:devices]:
        total = _float(total + _float(share))
        sums.append(total)
    return [_float(s / total) if total else 1.0 for s in sums]


def _float(value: float) -> float:
    """As a number of 32 bits."""
    rounded: float = struct.unpack("f", struct.pack("f", value))[0]
    return rounded
