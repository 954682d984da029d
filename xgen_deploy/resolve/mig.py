"""NVIDIA cards with MIG on: engines can be given their instances, one each. Pure.

CUDA enumerates a single MIG instance in a process, and no other GPU beside it (NVIDIA's MIG user
guide, "CUDA Device Enumeration").
"""

from collections.abc import Sequence

from xgen_deploy.sizes import size_text
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import GPURef


def check_whole(declared: InstanceConfig, ref: GPURef, gpu: GPUInfo) -> None:
    """Raises Refused for a card with MIG on, which no engine could use as a whole."""
    if gpu.mig_enabled:
        raise refuse(declared, _reason(f"GPU {ref}", gpu), _hint([gpu]), "gpus")


def check_alone(declared: InstanceConfig, gpus: Sequence[GPUInfo]) -> None:
    """Raises Refused for a MIG instance with any GPU beside it."""
    if len(gpus) > 1 and any(g.card is not None for g in gpus):
        raise refuse(
            declared,
            "a MIG instance can only be a placement's one GPU: CUDA shows a process no second one",
            "Give the placement one of them, or one replica each: `gpus: [[MIG-…], [MIG-…]]`.",
            "gpus",
        )


def check_unnamed(
    declared: InstanceConfig, free: Sequence[GPUInfo], cards: Sequence[GPUInfo]
) -> None:
    """Raises Refused where the placement names no GPU and MIG leaves it open which it would be, or
    none: such a model must not quietly move to the CPU.
    """
    empty = [c for c in cards if c.mig_enabled and not c.mig_instances]
    if not free and empty:
        raise refuse(declared, _reason(f"GPU {empty[0].index}", empty[0]), _hint(empty), "gpus")
    if declared.gpus == "all" and len(free) > 1 and any(g.card is not None for g in free):
        parted = [c for c in cards if c.mig_enabled]
        raise refuse(
            declared,
            f"`gpus: all` has MIG instances in it, of GPU {parted[0].index}, and CUDA shows a "
            "process one of them and no other GPU",
            _hint(parted),
            "gpus",
        )


def _reason(name: str, card: GPUInfo) -> str:
    if not card.mig_instances:
        return f"{name} has MIG on and no MIG instance, so that nothing can use it"
    return f"{name} has MIG on: only its MIG instances can be used"


def _hint(cards: Sequence[GPUInfo]) -> str:
    parts = [(c, i) for c in cards for i in c.mig_instances]
    if not parts:
        index = cards[0].index
        return (
            f"Make one on the host (`nvidia-smi mig -i {index} -lgip` lists the profiles, "
            f"`nvidia-smi mig -i {index} -cgi PROFILE -C` makes one), or switch MIG off."
        )
    listed = ", ".join(
        f"{i.uuid} ({', '.join(_traits(i.profile, i.memory_total_mb))})" for _, i in parts
    )
    return f"Name one of them, such as `gpus: [{parts[0][1].uuid}]`: {listed}."


def _traits(profile: str | None, memory: int | None) -> list[str]:
    size = None if memory is None else size_text(memory << 20)
    return [text for text in (profile, size) if text] or ["size unknown"]
