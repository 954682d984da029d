"""Finds the devices that the manifest's `gpus` names, on one host. Pure."""

import re
from collections.abc import Container
from dataclasses import dataclass

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.resolve import mig
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import GPURef


@dataclass(frozen=True)
class Picked:
    """`gpus` in the engine's order; `pins`: index -> the identity that it stands for; `notes` for
    the reader of the plan.
    """

    gpus: tuple[GPUInfo, ...]
    pins: dict[str, str]
    notes: tuple[str, ...] = ()


def pick_gpus(
    declared: InstanceConfig,
    host: Host,
    gpus: tuple[GPUInfo, ...],
    recorded: dict[str, str],
    ran_on: tuple[str, ...] = (),
    *,
    repin: Container[int] = (),
) -> Picked:
    """`gpus` are the host's cards. `recorded` are the pins of the last apply, by which an index
    keeps meaning the same card; `ran_on` the identities of the cards that it was applied on.
    `repin` are indices that may mean another card now. Where no GPU is stated, a backend that uses
    none gets none.

    Raises Refused when a GPU is unknown, reserved, named twice or no longer the recorded one,
    when the host has several and none is stated, and when none is left of those it ran on.
    """
    named = backend_named(declared.backend)
    if named is not None and not named.hardware.uses:
        return _none(declared)
    devices = tuple(device for g in gpus for device in g.devices)
    free = unreserved(devices, gpus, host)
    if declared.gpus is None or declared.gpus == "all":
        mig.check_unnamed(declared, free, gpus)
    gpus = (*gpus, *(d for d in devices if d.card is not None))
    if not free and (declared.gpus == "all" or (declared.gpus is None and ran_on)):
        raise _none_left(declared, gpus, ran_on)
    if declared.gpus is None:
        return Picked(_the_only_one(declared, free), {})
    if declared.gpus == "all":
        return Picked(free, {})
    picked: list[GPUInfo] = []
    pins = _spare_pins(declared, gpus, recorded)
    notes = []
    for ref in declared.gpus if isinstance(declared.gpus, tuple) else ():
        before = recorded.get(str(ref))
        spare = _spare(declared, free, picked, pins) if _gone(ref, gpus, before) else None
        if spare is not None:
            notes.append(f"GPU {before or ref} is gone; spare GPU {spare.index} is used instead")
            pins |= {str(ref): before} if before else {}
            picked.append(spare)
            continue
        gpu = _find(declared, ref, gpus, before)
        mig.check_whole(declared, ref, gpu)
        _check(declared, ref, gpu, free, picked)
        if isinstance(ref, int) and before and before not in gpu.names and ref not in repin:
            raise refuse(
                declared,
                f"GPU {ref} was {before} when this was last applied and is {gpu.identity} now",
                f"Write the card's UUID, or accept the new card with `--repin {host.name}:{ref}`.",
                "gpus",
            )
        if isinstance(ref, int):
            pins[str(ref)] = gpu.known_as((before,) if before else ())
        picked.append(gpu)
    mig.check_alone(declared, picked)
    return Picked(tuple(picked), pins, tuple(notes))


def unreserved(
    devices: tuple[GPUInfo, ...], cards: tuple[GPUInfo, ...], host: Host
) -> tuple[GPUInfo, ...]:
    """A reserved card's MIG instances are reserved with it."""
    kept = {c.identity for c in cards if any(is_named(c, ref) for ref in host.reserved_gpus)}
    return tuple(
        d
        for d in devices
        if not kept & {d.identity, d.card}
        and not any(is_named(d, ref) for ref in host.reserved_gpus)
    )


def reserved_nothing(host: Host, gpus: tuple[GPUInfo, ...]) -> tuple[str, ...]:
    """What is stated as reserved and is no GPU there: a slip, or a card that is gone."""
    devices = (*gpus, *(device for g in gpus for device in g.devices))
    return tuple(
        f"xgen_reserved_gpus names {ref}, and no GPU there is that: nothing is reserved by it"
        for ref in host.reserved_gpus
        if not any(is_named(device, ref) for device in devices)
    )


def _check(
    declared: InstanceConfig,
    ref: GPURef,
    gpu: GPUInfo,
    free: tuple[GPUInfo, ...],
    picked: list[GPUInfo],
) -> None:
    if gpu not in free:
        raise refuse(
            declared,
            f"GPU {ref} is reserved on this host (xgen_reserved_gpus)",
            "Choose another one; `xgen-deploy gpus MANIFEST` lists them.",
            "gpus",
        )
    if gpu in picked:
        raise refuse(declared, f"GPU {ref} is named twice", field="gpus")


def _gone(ref: GPURef, gpus: tuple[GPUInfo, ...], before: str | None) -> bool:
    """Whether the card itself is missing, even where another one has its index now."""
    if before is not None:
        return not any(before in g.names for g in gpus)
    return not any(is_named(g, ref) for g in gpus)


def _spare_pins(
    declared: InstanceConfig, gpus: tuple[GPUInfo, ...], recorded: dict[str, str]
) -> dict[str, str]:
    """The identities of spare indices at the first apply: a lost card shifts the indices."""
    pins = {}
    for ref in declared.spare_gpus:
        now = next((g.identity for g in gpus if is_named(g, ref)), None)
        pinned = recorded.get(str(ref)) or now
        if isinstance(ref, int) and pinned:
            pins[str(ref)] = pinned
    return pins


def _spare(
    declared: InstanceConfig,
    free: tuple[GPUInfo, ...],
    picked: list[GPUInfo],
    pins: dict[str, str],
) -> GPUInfo | None:
    """The first spare GPU that exists, is not picked yet and is not named in `gpus`."""
    stated = declared.gpus if isinstance(declared.gpus, tuple) else ()
    named = [r for r in stated if isinstance(r, str)]
    for ref in declared.spare_gpus:
        for gpu in free:
            pinned = pins.get(str(ref))
            meant = pinned in gpu.names if pinned else is_named(gpu, ref)
            if meant and gpu not in picked and not any(is_named(gpu, n) for n in named):
                return gpu
    return None


def _none(declared: InstanceConfig) -> Picked:
    if declared.gpus:
        raise refuse(
            declared,
            f"{declared.backend} uses no GPU, and this placement names some",
            "Write `gpus: []` here, or name another backend.",
            "gpus",
        )
    return Picked((), {})


def _none_left(
    declared: InstanceConfig, gpus: tuple[GPUInfo, ...], ran_on: tuple[str, ...]
) -> Exception:
    """An instance whose card broke or was reserved must not quietly move to the CPU."""
    asked = f"it runs on {', '.join(ran_on)}" if ran_on else "gpus: all was asked for"
    left = "every GPU of this host is reserved now" if gpus else "no GPU was found on this host"
    return refuse(
        declared,
        f"{asked}, and {left}",
        "See how each detector did with `xgen-deploy gpus MANIFEST`; to use the CPU, write "
        "`gpus: []`.",
        "gpus",
    )


def _the_only_one(declared: InstanceConfig, gpus: tuple[GPUInfo, ...]) -> tuple[GPUInfo, ...]:
    if len(gpus) <= 1:
        return gpus
    listed = ", ".join(f"{g.label} ({g.device_name or g.gpu_type})" for g in gpus)
    parts = any(g.card is not None for g in gpus)
    raise refuse(
        declared,
        f"the host has {len(gpus)} {'devices' if parts else 'GPUs'} and the placement names none: "
        f"{listed}",
        f"Add `gpus: [{gpus[0].label}]`{'' if parts else ' or `gpus: all`'} to the placement.",
    )


def _find(
    declared: InstanceConfig, ref: GPURef, gpus: tuple[GPUInfo, ...], before: str | None
) -> GPUInfo:
    for gpu in gpus:
        if is_named(gpu, ref):
            return gpu
    was = f" ({before} when this was last applied)" if before else ""
    if not gpus:
        raise refuse(
            declared,
            f"GPU {ref}{was} was asked for, and no GPU was found on this host",
            "See how each detector did with `xgen-deploy gpus MANIFEST`.",
            "gpus",
        )
    listed = ", ".join(
        f"{g.index} = {g.identity}" if g.card is None else f"{g.identity} on {g.index}"
        for g in gpus
    )
    raise refuse(
        declared, f"there is no GPU {ref}{was} on this host; it has {listed}", field="gpus"
    )


def is_named(gpu: GPUInfo, ref: GPURef) -> bool:
    if gpu.card is not None:
        return isinstance(ref, str) and ref.lower() == gpu.identity.lower()
    if isinstance(ref, int):
        return gpu.index == ref
    name = ref.lower()
    names = {(gpu.uuid or "").lower(), (gpu.pci_bus_id or "").lower(), str(gpu.index)}
    if re.fullmatch(r"0000[0-9a-f]{4}:.+", name):  # as NVML and nvidia-smi write the domain
        name = name[4:]
    return name in names or f"0000:{name}" in names


def ordinals(picked: tuple[GPUInfo, ...], gpus: tuple[GPUInfo, ...]) -> tuple[int, ...]:
    """The positions of `picked` among the GPUs of their vendor, in PCI order from 0."""
    return tuple(sum(_vendor(o) == _vendor(g) and o.index < g.index for o in gpus) for g in picked)


def _vendor(gpu: GPUInfo) -> str:
    return gpu.gpu_type.partition("_")[0]
