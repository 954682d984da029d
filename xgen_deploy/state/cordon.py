"""A host, or one GPU of it, that an operator took out of service: nothing of the project is started
there until that ends. Pure.
"""

from collections.abc import Iterable
from datetime import datetime

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.gpu import GPUInfo

WHOLE_HOST = "host"


class CordonedGPU(Frozen):
    """The card as it was then. `names` is everything that it may have been recorded by."""

    index: int
    identity: str
    names: tuple[str, ...]
    device_name: str | None = None
    pci_bus_id: str | None = None

    @property
    def clause(self) -> str:
        """`NVIDIA H100 80GB, GPU-6f1c…`."""
        return ", ".join(part for part in (self.device_name, self.identity) if part)


class Cordon(Frozen):
    """`gpu` None: the whole host. `until` None: until `uncordon`."""

    by: str
    at: Moment
    until: Moment | None = None
    gpu: CordonedGPU | None = None

    @property
    def key(self) -> str:
        return WHOLE_HOST if self.gpu is None else self.gpu.identity

    def holds(self, now: float) -> bool:
        """Nobody ends one whose time is over: it does not count any more."""
        return self.until is None or now < self.until

    def covers(self, gpus: Iterable[str]) -> bool:
        """Whether something that uses these cards, by any of their names, is out of service."""
        return self.gpu is None or not frozenset(self.gpu.names).isdisjoint(gpus)

    @property
    def place(self) -> str:
        """`the host`, or `GPU 0`."""
        return "the host" if self.gpu is None else f"GPU {self.gpu.index}"

    @property
    def clause(self) -> str:
        """`GPU 0 is cordoned by kim@ops until 2026-11-26 18:00`."""
        until = "" if self.until is None else f" until {_clock(self.until)}"
        return f"{self.place} is cordoned by {self.by}{until}"


def cordoned_gpu(gpu: GPUInfo) -> CordonedGPU:
    return CordonedGPU(
        index=gpu.index,
        identity=gpu.identity,
        names=tuple(sorted(gpu.names)),
        device_name=gpu.device_name,
        pci_bus_id=gpu.pci_bus_id,
    )


def card_there(cordoned: CordonedGPU, gpus: Iterable[GPUInfo]) -> GPUInfo | None:
    """What is in the card's place now: the same one, else by its slot, else by its index."""
    present = list(gpus)
    same = (g for g in present if cordoned.identity in g.names)
    in_slot = (g for g in present if g.pci_bus_id and g.pci_bus_id == cordoned.pci_bus_id)
    at_index = (g for g in present if g.index == cordoned.index)
    return next(same, None) or next(in_slot, None) or next(at_index, None)


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().strftime("%Y-%m-%d %H:%M")
