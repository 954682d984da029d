"""What a plan is made of: operations with their cause, host by host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from xgen_deploy.state.gateway import GatewaySpec
from xgen_deploy.state.instance import Instance, Refusal
from xgen_deploy.state.instance_config import Mark

Action = Literal["create", "update", "repair", "restart", "remove", "stop", "start"]
SUMMARY = ("create", "update", "repair", "remove", "unchanged", "unreachable")


@dataclass(frozen=True, kw_only=True)
class FieldDiff:
    """One field that changes; JSON values, None where there was or will be nothing."""

    path: str
    before: object = None
    after: object = None
    mark: Mark | None = None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing to do to one instance. `instance` None: it is only to be taken away.

    `leftover` is its other slot (see layout.py), where something is still there: that goes first,
    and with `tidies` it is all.
    `why` is the reason for the strategy.
    `interrupts`: requests to it fail while this is carried out. `seconds` is how long its last
    start took, None where that is unknown. `needs` are ids of operations that come first. `gateway`
    is set where the gateway is what changes, `refresh` where its unit is written anew although an
    older version of it would do.
    """

    id: str
    host: str
    name: str
    action: Action
    cause: str
    strategy: Literal["stop-first", "start-first"] | None = None
    interrupts: bool = False
    seconds: float | None = None
    needs: tuple[str, ...] = ()
    diff: tuple[FieldDiff, ...] = ()
    instance: Instance | None = None
    gateway: GatewaySpec | None = None
    notes: tuple[str, ...] = ()
    leftover: str | None = None
    tidies: bool = False
    moves: bool = False
    why: str | None = None
    refresh: bool = False

    @property
    def engine_pull(self) -> bool:
        """Whether the image has to be fetched first."""
        return self.instance is not None and self.instance.engine.pull


@dataclass(frozen=True, kw_only=True)
class HostPlan:
    """`refusals` forbid the whole apply; an unreachable host has an `error` and nothing else.
    `secrets_kept` are instances whose secrets were not compared with what they were given.
    `parts` is what the plan rests on: how each thing there was. `outdated` are instances (and the
    gateway) that stay on units which an older version of this tool wrote. `left_out`: nothing is
    done here because of its refusals, and the other hosts go on.
    """

    host: str
    reachable: bool = True
    error: str | None = None
    way_out: str = ""
    headline: str = ""
    operations: tuple[Operation, ...] = ()
    unchanged: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    warnings: tuple[str, ...] = ()
    secrets_kept: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    parts: dict[str, str] = field(default_factory=dict)
    left_out: bool = False

    @property
    def fingerprint(self) -> str:
        """Over everything that this host's part rests on."""
        return "\n".join(f"{what}: {how}" for what, how in sorted(self.parts.items()))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Every host's part. `last_apply` is a line for people about the newest apply seen."""

    project: str
    manifest_file: str
    manifest_digest: str
    hosts: Mapping[str, HostPlan] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    last_apply: str | None = None
    fingerprint: str = ""

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

    def summary(self) -> dict[str, int]:
        """Counts by the names of the contract."""
        counts = dict.fromkeys(SUMMARY, 0)
        for operation in self.operations:
            counts[operation.action] = counts.get(operation.action, 0) + 1
        counts["unchanged"] = sum(len(h.unchanged) for h in self.hosts.values())
        counts["unreachable"] = len(self.unreachable)
        return counts
