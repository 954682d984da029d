"""A host in a few words: `2x NVIDIA H100 80GB`, `gfx1151, VRAM 96 GiB`, `no GPU, 8 cores`."""

from collections import Counter

from xgen_deploy.state.facts import HostFacts


def headline(facts: HostFacts) -> str:
    """The text after the host's name."""
    gpus = facts.gpu.gpus
    if not gpus:
        return f"no GPU, {facts.cores} cores, {gib(facts.memory_total_mb)} memory"
    names = Counter(
        (g.device_name or g.gfx_version or str(g.gpu_type), g.memory_total_mb) for g in gpus
    )
    parts = [
        (f"{count}x " if count > 1 else "") + name + (f" {gib(memory)}" if memory else "")
        for (name, memory), count in names.items()
    ]
    return ", ".join(parts)


def gib(mebibytes: int | None) -> str:
    """`79.6 GiB`; `n/m` where it could not be measured."""
    return "n/m" if mebibytes is None else f"{mebibytes / 1024:.1f} GiB"
