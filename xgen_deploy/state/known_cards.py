"""Cards that a fleet file may name without saying what they are."""

from collections.abc import Iterable

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUType


class Card(Frozen):
    """Memory in MiB, as its driver reports it."""

    name: str
    gpu_type: GPUType
    memory_mb: int
    compute_capability: str | None = None
    gfx: str | None = None
    apu: bool = False


def _nvidia(name: str, memory_mb: int, compute_capability: str) -> Card:
    return Card(
        name=name,
        gpu_type=GPUType.NVIDIA,
        memory_mb=memory_mb,
        compute_capability=compute_capability,
    )


def _amd(name: str, memory_mb: int, gfx: str, *, cdna: bool = False, apu: bool = False) -> Card:
    kind = GPUType.AMD_CDNA if cdna else GPUType.AMD_RDNA
    return Card(name=name, gpu_type=kind, memory_mb=memory_mb, gfx=gfx, apu=apu)


CARDS: tuple[Card, ...] = (
    _nvidia("NVIDIA H200", 143771, "9.0"),
    _nvidia("NVIDIA H100 80GB HBM3", 81559, "9.0"),
    _nvidia("NVIDIA A100-SXM4-80GB", 81920, "8.0"),
    _nvidia("NVIDIA A100-SXM4-40GB", 40960, "8.0"),
    _nvidia("NVIDIA L40S", 46068, "8.9"),
    _nvidia("NVIDIA L4", 23034, "8.9"),
    _nvidia("NVIDIA GeForce RTX 5090", 32607, "12.0"),
    _nvidia("NVIDIA GeForce RTX 4090", 24564, "8.9"),
    _nvidia("NVIDIA GeForce RTX 3090", 24576, "8.6"),
    _amd("AMD Instinct MI300X", 196592, "gfx942", cdna=True),
    _amd("AMD Instinct MI210", 65520, "gfx90a", cdna=True),
    _amd("AMD Radeon AI PRO R9700", 32624, "gfx1201"),
    _amd("AMD Radeon PRO W7800", 32752, "gfx1100"),
    _amd("AMD Radeon RX 7900 XTX", 24560, "gfx1100"),
    _amd("AMD Radeon RX 6800", 16368, "gfx1030"),
    _amd("AMD Radeon 8060S", 98304, "gfx1151", apu=True),
)


def known_card(name: str) -> Card | None:
    """The only card whose name has all words of this one: `H100`, `Radeon PRO W7800`."""
    words = _words(name)
    fitting = [card for card in CARDS if words <= _words(card.name)]
    exact = [card for card in fitting if _words(card.name) == words]
    chosen = exact or fitting
    return chosen[0] if len(chosen) == 1 else None


def known_names() -> Iterable[str]:
    return (card.name for card in CARDS)


def _words(name: str) -> frozenset[str]:
    return frozenset(name.lower().replace("-", " ").split())
