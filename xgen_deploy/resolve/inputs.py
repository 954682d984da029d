"""What resolving the instances of one host starts from."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import cached_property

from xgen_deploy.backends.availability import Availability
from xgen_deploy.resolve.engines import BuildKey
from xgen_deploy.resolve.ports import Ports
from xgen_deploy.resolve.room import Rooms, rooms
from xgen_deploy.state.facts import AdoptableFacts, EngineFacts, HostFacts, ModelFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import Record


@dataclass(frozen=True)
class HostInputs:
    """`models` and `engines` are the host's answers by what was asked. `listen` is the address
    where instances must be reached; `also_serves` lists, by model, the other names that its
    requests may come under. `repin` as in plan/desired.py. `adopts` is, by instance, what it takes
    the place of, `adopted_ports` where that listens. `leaving` are the names of those that the plan
    removes. `has_gateway`: the site does. `rebalance`:
    what was chosen before may be chosen anew.
    """

    host: Host
    layout: Layout
    facts: HostFacts
    record: Record
    available: Availability
    models: dict[str, ModelFacts]
    engines: dict[BuildKey, EngineFacts]
    ports: Ports
    repin: Container[int]
    listen: str
    also_serves: dict[str, tuple[str, ...]]
    adopts: Mapping[str, AdoptableFacts]
    adopted_ports: Mapping[str, frozenset[int]]
    leaving: frozenset[str] = frozenset()
    has_gateway: bool = False
    rebalance: bool = False

    @cached_property
    def rooms(self) -> Rooms:
        return rooms(self.facts, self.record, self.layout, self.host)
