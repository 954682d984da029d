"""A run over a fleet in a file: nothing is connected to, and nothing runs there."""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module

from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import listing
from xgen_deploy.manifest.expand_home import expand_home
from xgen_deploy.manifest.fleet_file import ANY, FleetFile, FleetHost
from xgen_deploy.resolve.locked import with_locked
from xgen_deploy.resolve.models import own_key, sources
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.run.invented_facts import Invented, completed, invented
from xgen_deploy.run.run import Run
from xgen_deploy.run.this_machine import this_machine
from xgen_deploy.state.driver_memory import DriverMemory, merged
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.observation import Observation, Observed, observation_of
from xgen_deploy.state.site import Site
from xgen_deploy.state.source import read_source


@dataclass(frozen=True)
class FleetRun(Run):
    """Its observations come from a file. What that does not state is a warning of the site."""

    hosts: dict[str, Invented] = field(default_factory=dict)
    drivers: tuple[DriverMemory, ...] = ()

    def observe(
        self,
        *,
        health: bool = False,  # noqa: ARG002 - nothing runs there
        among: frozenset[str] | None = None,
        preload: tuple[str, ...] = (),
        also: Callable[[], object] | None = None,  # noqa: ARG002
        to_bring: bool = False,  # noqa: ARG002 - what is not stated is taken as present
    ) -> Observed:
        for module in preload:
            import_module(module)
        return {
            name: self._observation(name, host.facts)
            for name, host in self.hosts.items()
            if among is None or name in among
        }

    def _observation(self, name: str, facts: HostFacts) -> Observation:
        """With what the drivers there are known to take from elsewhere."""
        seen = observation_of(name, facts, self.layout(name))
        if seen.record is None:
            return seen
        drivers = merged(seen.record.drivers, self.drivers)
        return replace(seen, record=replace(seen.record, drivers=drivers))


def run_on_fleet(site: Site, fleet: FleetFile) -> FleetRun:
    """Raises UsageError for a host that the file lacks."""
    control_node = this_machine()
    site = with_locked(expand_home(site, control_node.home))
    bare = Run(site, control_node, {})
    hosts = {name: _host(bare, name, fleet) for name in site.hosts}
    notes = [_note(fleet.path, name, host) for name, host in hosts.items() if host.taken]
    unseen = f"this is the fleet of {fleet.path}: no host was asked, and nothing runs there"
    site = replace(site, warnings=(*site.warnings, unseen, *notes), fleet=fleet.path)
    return FleetRun(site, control_node, {}, hosts=hosts, drivers=fleet.drivers)


def _host(run: Run, name: str, fleet: FleetFile) -> Invented:
    stated = fleet.invented.get(name) or fleet.invented.get(ANY) or FleetHost()
    if name in fleet.recorded:
        facts = fleet.recorded[name]
    elif name in fleet.invented or ANY in fleet.invented:
        facts = invented(stated, name)
    else:
        known = [*fleet.invented, *fleet.recorded]
        raise UsageError(
            f"--fleet {fleet.path}: there is no host {name}; it has {listing(known)}. "
            f'`"{ANY}":` stands for all others'
        )
    request = probe_request(run.site, run.site.hosts[name], run.layout(name))
    return completed(facts, stated, request, _formats(run.site, name))


def _formats(site: Site, host: str) -> dict[str, str]:
    """By key of a model: as stated, else as its name says."""
    formats: dict[str, str] = {}
    for config in site.on(host):
        for stated, source in sources(config).items():
            parsed = read_source(source)
            of_gguf = (parsed.repository or "").lower().endswith("gguf")
            guessed = "gguf" if parsed.is_gguf or of_gguf else "hf"
            formats[own_key(config, stated, source)] = guessed if stated == "any" else stated
    return formats


def _note(path: str, name: str, host: Invented) -> str:
    return f"{name}: taken as present, since {path} does not say: {', '.join(host.taken)}"
