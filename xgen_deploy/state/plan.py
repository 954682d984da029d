"""What a plan is made of: operations with their cause, host by host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from xgen_deploy.state.bundle import BundleOrigin
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.fetch import Fetch
from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.memory import GPUMemory
from xgen_deploy.state.monitoring import MonitoringSpec
from xgen_deploy.state.origin import Origin
from xgen_deploy.state.quantize import Quantizing

Action = Literal["create", "update", "repair", "restart", "remove", "stop", "start"]
Strategy = Literal["stop-first", "start-first"]
Against = Literal["manifest", "record", "nothing", "stop", "start", "restart"]
SUMMARY = ("create", "update", "repair", "remove", "unchanged", "unreachable")


class Kind(StrEnum):
    """What an operation does; the executor has one function for each."""

    CREATE = "create"
    UPDATE = "update"
    REFRESH = "refresh"
    REPAIR = "repair"
    RESTORE_FILES = "restore files"
    REPAIR_WATCHDOG = "repair watchdog"
    CLEAR_SLOT = "clear slot"
    REMOVE = "remove"
    STOP = "stop"
    START = "start"
    RESTART = "restart"
    CREATE_GATEWAY = "create gateway"
    UPDATE_GATEWAY = "update gateway"
    REFRESH_GATEWAY = "refresh gateway"
    REPAIR_GATEWAY = "repair gateway"
    REMOVE_GATEWAY = "remove gateway"
    STOP_GATEWAY = "stop gateway"
    START_GATEWAY = "start gateway"
    RESTART_GATEWAY = "restart gateway"
    CREATE_MONITORING = "create monitoring"
    UPDATE_MONITORING = "update monitoring"
    REPAIR_MONITORING = "repair monitoring"
    REMOVE_MONITORING = "remove monitoring"


UPDATES = frozenset({Kind.UPDATE, Kind.REFRESH})
# Carried out last, when every host has done its own part. A gateway is removed before that.
GATEWAY_CHANGES = frozenset(
    {
        Kind.CREATE_GATEWAY,
        Kind.UPDATE_GATEWAY,
        Kind.REFRESH_GATEWAY,
        Kind.REPAIR_GATEWAY,
        Kind.STOP_GATEWAY,
        Kind.START_GATEWAY,
        Kind.RESTART_GATEWAY,
    }
)
# After these: the exporters first, then what asks them. It is removed before.
MONITORING_CHANGES = frozenset(
    {Kind.CREATE_MONITORING, Kind.UPDATE_MONITORING, Kind.REPAIR_MONITORING}
)
LATE_CHANGES = GATEWAY_CHANGES | MONITORING_CHANGES

# What people and programs read: a refresh is an update to them, a gateway one more instance.
_ACTIONS: Mapping[Kind, Action] = {
    Kind.CREATE: "create",
    Kind.UPDATE: "update",
    Kind.REFRESH: "update",
    Kind.REPAIR: "repair",
    Kind.RESTORE_FILES: "repair",
    Kind.REPAIR_WATCHDOG: "repair",
    Kind.CLEAR_SLOT: "repair",
    Kind.REMOVE: "remove",
    Kind.STOP: "stop",
    Kind.START: "start",
    Kind.RESTART: "restart",
    Kind.CREATE_GATEWAY: "create",
    Kind.UPDATE_GATEWAY: "update",
    Kind.REFRESH_GATEWAY: "update",
    Kind.REPAIR_GATEWAY: "repair",
    Kind.REMOVE_GATEWAY: "remove",
    Kind.STOP_GATEWAY: "stop",
    Kind.START_GATEWAY: "start",
    Kind.RESTART_GATEWAY: "restart",
    Kind.CREATE_MONITORING: "create",
    Kind.UPDATE_MONITORING: "update",
    Kind.REPAIR_MONITORING: "repair",
    Kind.REMOVE_MONITORING: "remove",
}


@dataclass(frozen=True, kw_only=True)
class FieldDiff:
    """One field that changes; JSON values, None where there was or will be nothing."""

    path: str
    before: object = None
    after: object = None
    mark: Mark | None = None


def value_text(value: object) -> str:
    """A value of a diff, for people."""
    if value is None:
        return "(not set)"
    if isinstance(value, list):
        return "[" + ", ".join(value_text(v) for v in value) + "]"
    return str(value)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing to do to one instance, or to a host's gateway or what watches it.

    `instance` is what it is to be, `gateway` the same of a gateway, `monitoring` of what watches
    the host; None where it is taken away.
    `stale_slot` is the instance's other slot (see layout.py), by its name on the host, where
    something of it is left: that is cleared first. `why` is the reason for the strategy.
    `interrupts`: requests to it fail while this is carried out. `seconds` is how long its last
    start took, None where that is unknown. `needs` are ids of operations that come first,
    `after` of those on its host that come first however they end.
    `moves`: its model goes on elsewhere. `reload` False: systemd reads changed units only when it
    next starts them. `cordon` is the key of the cordon that it is stopped for.
    """

    id: str
    host: str
    name: str
    kind: Kind
    cause: str
    strategy: Strategy | None = None
    interrupts: bool = False
    seconds: float | None = None
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    diff: tuple[FieldDiff, ...] = ()
    instance: Instance | None = None
    gateway: GatewaySpec | None = None
    monitoring: MonitoringSpec | None = None
    notes: tuple[str, ...] = ()
    stale_slot: str | None = None
    moves: bool = False
    why: str | None = None
    reload: bool = True
    cordon: str | None = None

    @property
    def action(self) -> Action:
        """The contract's word for its kind."""
        return _ACTIONS[self.kind]

    @property
    def engine_pull(self) -> bool:
        """Whether the image has to be fetched first."""
        return self.instance is not None and self.instance.engine.pull


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """`refusals` forbid the whole apply; an unreachable host has an `error` and nothing else.
    `unreadable`: it is taken as unreachable because what it said cannot be used.
    `secrets_kept` are instances whose secrets were not compared with what they were given.
    `parts` is what the plan rests on: how each thing there was. `outdated` are instances (and the
    gateway) that stay on units which an older version of this tool wrote. `left_out`: nothing is
    done here because of its refusals, and the other hosts go on. `other_origin`: of the manifest
    that was applied here last, where it is another one. `stopped` are instances, and the gateway,
    that stay stopped, `left_alone` those that run all the same, `waiting` those of both that
    differ from the manifest; `held` are not changed because of what they wait for.
    `cordon` is what goes out of service, `uncordon` what comes back,
    `card_now` the card in its place. `left`: what is left of a project that is removed. `memory` is
    of its GPUs, where it is known what a change will take.
    """

    host: str
    reachable: bool = True
    unreadable: bool = False
    error: str | None = None
    hint: str = ""
    headline: str = ""
    operations: tuple[Operation, ...] = ()
    unchanged: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    secrets_kept: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    cordon: Cordon | None = None
    uncordon: Cordon | None = None
    card_now: GPUInfo | None = None
    left: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    left_out: bool = False
    other_origin: Origin | None = None
    memory: tuple[GPUMemory, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Over everything that this host's part rests on."""
        return "\n".join(f"{what}: {how}" for what, how in sorted(self.parts.items()))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every host's part. `last_apply` is a line for people about the newest apply seen. `against`
    is what the hosts are held against: the manifest, their own last apply, nothing at all where the
    project is removed, or what was asked for instead. `fetches` come first, then `quantizings`,
    before anything that serves is touched; where all comes from a `bundle`, from there.
    """

    project: str
    manifest_file: str
    manifest_digest: str
    hosts: Mapping[str, HostPlan] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    last_apply: str | None = None
    against: Against = "manifest"
    fingerprint: str = ""
    fleet: str | None = None
    fetches: tuple[Fetch, ...] = ()
    quantizings: tuple[Quantizing, ...] = ()
    bundle: BundleOrigin | None = None

    @property
    def prepares(self) -> bool:
        """Whether files are to be brought or made before the operations."""
        return bool(self.fetches or self.quantizings)

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(o for h in self.hosts.values() for o in h.operations)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(r for h in self.hosts.values() for r in h.refusals)

    @property
    def forbidden(self) -> bool:
        """Whether nothing may be carried out anywhere."""
        return any(h.refusals and not h.left_out for h in self.hosts.values())

    @property
    def left_out(self) -> tuple[str, ...]:
        return tuple(name for name, h in self.hosts.items() if h.left_out)

    @property
    def unreachable(self) -> tuple[str, ...]:
        return tuple(name for name, h in self.hosts.items() if not h.reachable)

    def exit_code(self, *, detailed: bool = False) -> int:
        """The first that holds: 1 an error or a refusal, 4 a host not reached, 2 or 3, 0."""
        if self.refusals or any(h.unreadable for h in self.hosts.values()):
            return 1
        if self.unreachable:
            return 4
        if detailed and (self.operations or self.prepares):
            return 3 if all(o.action == "repair" for o in self.operations) else 2
        return 0

    def summary(self) -> dict[str, int]:
        """Counts by the names of the contract."""
        counts = dict.fromkeys(SUMMARY, 0)
        for operation in self.operations:
            counts[operation.action] = counts.get(operation.action, 0) + 1
        counts["unchanged"] = sum(len(h.unchanged) for h in self.hosts.values())
        counts["unreachable"] = len(self.unreachable)
        return counts
