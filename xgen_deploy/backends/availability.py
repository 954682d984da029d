"""Which backends a host's hardware can run, in order of preference, and why not the others."""

from xgen_deploy.backends import registry
from xgen_deploy.backends.hardware import AMD, NVIDIA
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUInfo


class Availability(Frozen):
    """`backends` in order of preference; `reasons` says why each of the others is left out."""

    backends: tuple[str, ...]
    reasons: dict[str, str]


def available_backends(gpus: tuple[GPUInfo, ...]) -> Availability:
    """Over every GPU that counts on the host: what NVIDIA's can run, then AMD's, then others."""
    engines = [b for b in registry.ENGINES if b.automatic]
    told = {b.name: b.hardware.missing(gpus, b.title) for b in engines}
    reasons = {name: why for name, why in told.items() if why is not None}
    found = (
        b.name
        for group in _by_vendor(gpus)
        for b in engines
        if b.hardware.suits(group) and b.name not in reasons
    )
    return Availability(backends=tuple(dict.fromkeys(found)), reasons=reasons)


def recommended_family(backends: tuple[str, ...]) -> str:
    """That of the first engine that is among them."""
    return next((b.family for b in registry.ENGINES if b.name in backends), "")


def _by_vendor(gpus: tuple[GPUInfo, ...]) -> list[list[GPUInfo]]:
    """At least one group, which without a GPU is empty."""
    nvidia = [g for g in gpus if g.gpu_type in NVIDIA]
    amd = [g for g in gpus if g.gpu_type in AMD]
    others = [g for g in gpus if g.gpu_type not in NVIDIA | AMD]
    return [group for group in (nvidia, amd, others) if group] or [[]]
