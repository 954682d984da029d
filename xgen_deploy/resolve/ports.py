"""Assigns ports: stated ones as they are, otherwise the lowest free one, kept from then on."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.state.facts import ContainerFacts, HostFacts, PortFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import SECOND
from xgen_deploy.state.refuse import refuse

_UP = ("running", "restarting", "paused")


@dataclass(frozen=True)
class Holder:
    """What holds a port, and how to free it."""

    who: str
    hint: str


class Ports:
    """The ports of one host while its instances are resolved in manifest order."""

    def __init__(
        self,
        facts: HostFacts,
        recorded: Mapping[str, int],
        second: Mapping[str, int],
        declared: tuple[InstanceConfig, ...],
        services: frozenset[str],
        boxes: Mapping[str, ContainerFacts],
        kept: frozenset[str],
        adopted: Mapping[str, frozenset[int]],
    ) -> None:
        """`recorded` are this project's ports by instance, `second` those of their other slots (see
        layout.py), `services` the names of its units and containers; `boxes` are mislabelled
        containers by name. `kept` are the instances that stay: the ports of all others are free.
        `adopted` are the ports of what an instance takes the place of.
        """
        self._recorded = recorded
        self._second = second
        self._foreign = _foreign(facts, services, boxes)
        self._adopted = adopted
        self._taken = {d.port: d.name for d in declared if d.port is not None}
        for name, port in recorded.items():
            if name in kept and port not in self._taken:
                self._taken[port] = name
        for name, port in second.items():
            self._taken.setdefault(port, f"{name}{SECOND}")

    def spare(self, declared: InstanceConfig) -> int | None:
        """A port for the instance's other slot, once every instance has its own; None where its
        port is fixed or none is free.
        """
        if declared.port is not None:
            return None
        slot = f"{declared.name}{SECOND}"
        low, high = declared.ports
        kept = self._second.get(declared.name)
        if kept is not None and self._taken.get(kept) == slot and low <= kept <= high:
            return kept
        port = self._free(low, high)
        if port is not None:
            self._taken[port] = slot
        return port

    def take(self, declared: InstanceConfig) -> int:
        """Raises Refused when a foreign process holds the port, or none is free."""
        low, high = declared.ports
        kept = self._recorded.get(declared.name)
        if declared.port is None and kept is not None and self._taken.get(kept) == declared.name:
            port: int | None = kept if low <= kept <= high else None
        else:
            port = declared.port or self._port_of_adopted(declared)
        if port is not None:
            holder = self._foreign.get(port)
            if holder is not None and port not in self._adopted.get(declared.name, ()):
                raise refuse(
                    declared,
                    f"port {port} is held by {holder.who}",
                    f"{holder.hint}, or give the placement another port.",
                    "port",
                )
            self._taken.setdefault(port, declared.name)
            return port
        free = self._free(low, high)
        if free is None:
            raise refuse(
                declared,
                f"no port in {low}-{high} is free on this host",
                "Widen `ports:` in the manifest or `xgen_ports` in the inventory.",
            )
        self._taken[free] = declared.name
        return free

    def _port_of_adopted(self, declared: InstanceConfig) -> int | None:
        """The instance keeps the port that its clients know."""
        low, high = declared.ports
        ports = self._adopted.get(declared.name, frozenset())
        return min((p for p in ports if low <= p <= high and p not in self._taken), default=None)

    def _free(self, low: int, high: int) -> int | None:
        """The lowest free port; that of an instance to be removed only where there is no other."""
        free = [p for p in range(low, high + 1) if p not in self._taken and p not in self._foreign]
        leaving = set(self._recorded.values())
        return next((p for p in free if p not in leaving), next(iter(free), None))


def _foreign(
    facts: HostFacts, services: frozenset[str], boxes: Mapping[str, ContainerFacts]
) -> dict[int, Holder]:
    """Ports that others hold, by number."""
    holders = {p: _held_by(box) for box in boxes.values() if box.state in _UP for p in box.ports}
    own = {
        p
        for c in facts.docker.containers
        if c.name in services and c.name not in boxes
        for p in c.ports
    }
    pids = {s.pid for s in facts.services if s.pid}
    for port in facts.ports:
        unit = (port.unit or "").removesuffix(".service")
        if port.port in own or unit in services or (port.pid and port.pid in pids):
            continue
        hint = "Stop it"
        if port.unit and port.unit.endswith(".service") and port.unit != facts.docker.unit:
            hint += f", take it over with `adopt: {{unit: {port.unit}}}`"
        holders.setdefault(port.port, Holder(_who(port), hint))
    return holders


def _held_by(box: ContainerFacts) -> Holder:
    who = f"container {box.name}, which has this project's label but was not made by xgen-deploy"
    return Holder(who, f"Remove it with `docker rm -f {shlex.quote(box.name)}`")


def _who(port: PortFacts) -> str:
    if port.process is None:
        return "another process (only root can see which)"
    unit = f", unit {port.unit}" if port.unit else ""
    return f"{port.process} (pid {port.pid}{unit})"
