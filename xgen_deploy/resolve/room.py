"""What each device of a host has of memory, and who holds it; of the host's RAM the same. Pure.

In bytes; what is not known is None, never 0.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xgen_deploy.resolve.gpus import is_named
from xgen_deploy.resolve.memory_shares import share_of
from xgen_deploy.state.driver_memory import assumed_for, measured_for
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.memory import CONTEXT
from xgen_deploy.state.ownership import ours
from xgen_deploy.state.record import InstanceRecord, Record

MIB = 1 << 20
# What is left to a host whose GPU takes from its RAM, unless `xgen_reserved_mb` is stated.
_LEFT_TO_THE_HOST = 4 << 30
_LEFT_SHARE = 10  # a tenth
# NVIDIA's parts without memory of their own, whose driver tells of none.
_INTEGRATED = frozenset({"gb10", "orin", "thor", "xavier"})


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A process that is none of this project's instances."""

    pid: int
    name: str | None = None
    user: str | None = None
    bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Room:
    """`free` is what is free now, whoever waits for it. `ours` is what each of this project's
    instances holds now, by its name; `foreign` are other processes as far as they are known.
    `reserved` is never planned. `of_the_host`: all or a part of it is the host's RAM. `may_grow`:
    it could take more than is known.
    """

    total: int | None = None
    free: int | None = None
    reserved: int = 0
    ours: Mapping[str, int] = field(default_factory=dict)
    foreign: tuple[Holder, ...] = ()
    of_the_host: bool = False
    may_grow: bool = False
    driver_assumed: int = CONTEXT
    driver_measured: int | None = None

    @property
    def driver(self) -> int:
        """What the driver takes for each process, and no engine reports."""
        if self.of_the_host:
            return 0
        return self.driver_assumed if self.driver_measured is None else self.driver_measured

    @property
    def others(self) -> int | None:
        """What is held by anything but this project. What is left to a host whose GPU takes from
        its RAM is for what runs there."""
        if self.total is None or self.free is None:
            return None
        held = self.total - self.free - sum(self.ours.values())
        return max(0, held - (self.reserved if self.of_the_host else 0))

    @property
    def largest(self) -> int | None:
        """All that could ever be planned."""
        return None if self.total is None else max(0, self.total - self.reserved)

    def available(self, freed: frozenset[str] = frozenset()) -> int | None:
        """What can be planned now, once those instances have gone that are `freed`."""
        largest, others = self.largest, self.others
        if largest is None or others is None:
            return None
        stays = sum(held for name, held in self.ours.items() if name not in freed)
        return max(0, largest - others - stays)


@dataclass(frozen=True)
class Rooms:
    """`devices` by their identity."""

    devices: Mapping[str, Room]
    host: Room

    def of(self, gpu: GPUInfo) -> Room:
        return self.devices.get(gpu.identity, Room())

    def memory_beside(self, gpus: Sequence[GPUInfo]) -> tuple[int | None, bool]:
        """Of the host, and whether what these GPUs take is a part of it."""
        shared = [room for gpu in gpus if (room := self.of(gpu)).of_the_host]
        if self.host.total is None or not shared:
            return self.host.total, False
        return max(self.host.total, *(room.total or 0 for room in shared)), True


def rooms(
    facts: HostFacts,
    record: Record,
    layout: Layout,
    host: Host,
    adopted: Mapping[str, str] | None = None,
) -> Rooms:
    """`adopted` has, by instance, the cgroup of what it takes the place of."""
    cgroups = {
        name: cgroups_of(name, facts, record, layout)
        for name in (*record.instances, *record.pending)
    }
    for name, cgroup in (adopted or {}).items():
        cgroups[name] = cgroups.get(name, frozenset()) | {cgroup}
    devices = {gpu.identity: _room(gpu, facts, record, cgroups, host) for gpu in facts.gpu.devices}
    ram = Room(
        total=_bytes(facts.memory_total_mb),
        free=_bytes(facts.memory_available_mb),
        of_the_host=True,
        ours={name: held_of_host(last) for name, last in record.instances.items()},
    )
    return Rooms(devices, ram)


def reserved_for_nothing(host: Host, gpus: tuple[GPUInfo, ...]) -> tuple[str, ...]:
    """GPUs of `xgen_reserved_mb` that are none there: a slip, or a card that is gone."""
    devices = (*gpus, *(device for g in gpus for device in g.devices))
    named = host.reserved_mb if isinstance(host.reserved_mb, dict) else {}
    return tuple(
        f"xgen_reserved_mb names {ref}, and no GPU there is that: nothing is reserved by it"
        for ref in named
        if not any(is_named(device, ref) for device in devices)
    )


def _room(
    gpu: GPUInfo,
    facts: HostFacts,
    record: Record,
    cgroups: Mapping[str, frozenset[str]],
    host: Host,
) -> Room:
    stated = _stated(host, gpu)
    total, free, kept = _memory(gpu, facts)
    used = total - free if total is not None and free is not None else None
    held = {
        name: size
        for name, own in cgroups.items()
        if (size := _held(gpu, record.instances.get(name), own, total, used))
    }
    all_own = frozenset().union(*cgroups.values())
    foreign = tuple(
        Holder(pid=p.pid, name=p.name, user=p.user, bytes=_bytes(p.memory_mb))
        for p in gpu.processes
        if p.cgroup and not any(own in p.cgroup for own in all_own)
    )
    return Room(
        total=total,
        free=free,
        reserved=kept if stated is None else stated * MIB,
        ours=held,
        foreign=foreign,
        of_the_host=takes_from_the_host(gpu),
        driver_assumed=assumed_for(gpu),
        driver_measured=measured_for(gpu, record.drivers),
        may_grow=gpu.apu and not takes_from_the_host(gpu),
    )


def _memory(gpu: GPUInfo, facts: HostFacts) -> tuple[int | None, int | None, int]:
    """In all, free now, and how much of it is left to the host."""
    if not takes_from_the_host(gpu):
        # A driver that tells of none has not told.
        return _bytes(gpu.given_mb or None), _bytes(gpu.memory_free_mb), 0
    ram, available = _bytes(facts.memory_total_mb), _bytes(facts.memory_available_mb)
    own, own_free = _bytes(gpu.memory_total_mb), _bytes(gpu.memory_free_mb)
    mapped = _bytes(gpu.gtt_total_mb)
    if mapped is None or own is None:  # the RAM itself, as far as the driver lets it
        total = _least(own, ram)
        return total, _least(own_free, available), _left_to_host(total, ram, gpu)
    mapped = _least(mapped, ram) or 0
    unmapped = None if gpu.gtt_used_mb is None else max(0, mapped - gpu.gtt_used_mb * MIB)
    shared = _least(unmapped, available)
    free = own_free + shared if own_free is not None and shared is not None else None
    return own + mapped, free, _left_to_host(mapped, ram, gpu)


def _left_to_host(shared: int | None, ram: int | None, gpu: GPUInfo) -> int:
    """Of what it shares with the host. RAM that it cannot take is left anyway."""
    if shared is None or ram is None or gpu.software:
        return 0
    return max(0, max(_LEFT_TO_THE_HOST, ram // _LEFT_SHARE) - (ram - shared))


def takes_from_the_host(gpu: GPUInfo) -> bool:
    """An APU with a carve-out of which no more is known has that alone."""
    if gpu.software:
        return True
    if gpu.gpu_type in (GPUType.AMD_RDNA, GPUType.AMD_CDNA):
        return gpu.apu and gpu.gtt_total_mb is not None
    words = (gpu.device_name or "").lower().split()
    return gpu.apu or (gpu.gpu_type is GPUType.NVIDIA and not _INTEGRATED.isdisjoint(words))


def _held(
    gpu: GPUInfo,
    last: InstanceRecord | None,
    cgroups: frozenset[str],
    total: int | None,
    used: int | None,
) -> int:
    """What an instance holds now: by its processes, else by what its engine reported."""
    own = [p.memory_mb for p in gpu.processes if p.cgroup and any(c in p.cgroup for c in cgroups)]
    if own and all(size is not None for size in own):
        return sum(size or 0 for size in own) * MIB
    if last is None or last.stopped is not None:
        return 0
    if gpu.processes and all(p.cgroup and p.memory_mb is not None for p in gpu.processes):
        return 0  # it is down
    told = taken(gpu, last, total) or 0
    return told if used is None else min(told, used)


def staying(gpu: GPUInfo, room: Room, record: Record, gone: Collection[str] = ()) -> dict[str, int]:
    """What each recorded instance holds, or will hold again after its next start."""
    names = dict.fromkeys((*record.instances, *room.ours))
    sizes = {name: standing(gpu, room, record, name) for name in names if name not in gone}
    return {name: size for name, size in sizes.items() if size}


def standing(gpu: GPUInfo, room: Room, record: Record, name: str) -> int:
    last, held = record.instances.get(name), room.ours.get(name, 0)
    if last is None or last.stopped is not None:
        return held
    return max(held, taken(gpu, last, room.total) or 0)


def taken(gpu: GPUInfo, last: InstanceRecord, total: int | None) -> int | None:
    """What a recorded instance takes of a GPU once it runs; None where nobody said."""
    places = [i for i, name in enumerate(last.spec.gpus) if name in gpu.names]
    if not places:
        return 0
    share = share_of(last.spec)
    if share and total is not None:
        return int(share * total)
    return reported(last.report, places[0], len(last.spec.gpus))


def reported(report: LoadReport | None, place: int, gpus: int) -> int | None:
    """What an engine told of the GPU at a place of its list; of the fullest where it told of other
    devices than it was given."""
    if report is None:
        return None
    sizes = []
    for load in (report, report.draft):
        devices = load.devices if load is not None else ()
        each = [d.model_mib + d.kv_mib + d.compute_mib for d in devices]
        if each:
            sizes.append(each[place] if len(each) == gpus else max(each))
    return int(sum(sizes) * MIB) if sizes else None


def held_of_host(last: InstanceRecord | None) -> int:
    """What an instance holds of the host's memory, by its engine's report; what is mapped from a
    file counts as available anyway."""
    if last is None or last.report is None or last.stopped is not None:
        return 0
    held = last.report.host_mib.items()
    return int(sum(size for name, size in held if "Mapped" not in name) * MIB)


def cgroups_of(name: str, facts: HostFacts, record: Record, layout: Layout) -> frozenset[str]:
    """Parts of the cgroups' paths of one instance: of its units, and of its containers."""
    services = {layout.service(name + slot) for slot in ("", SECOND)}
    boxes = _boxes(facts, record, layout, services)
    return frozenset(f"{s}.service" for s in services) | frozenset(boxes)


def _boxes(facts: HostFacts, record: Record, layout: Layout, services: set[str]) -> Iterator[str]:
    for box in facts.docker.containers:
        if box.name in services and ours(box, facts, record, layout):
            yield box.id


def _stated(host: Host, gpu: GPUInfo) -> int | None:
    """MiB; None where nothing is."""
    if not isinstance(host.reserved_mb, dict):
        return host.reserved_mb
    return next((size for ref, size in host.reserved_mb.items() if is_named(gpu, ref)), None)


def _least(*sizes: int | None) -> int | None:
    known = [size for size in sizes if size is not None]
    return min(known) if known else None


def _bytes(mib: int | None) -> int | None:
    return None if mib is None else mib * MIB
