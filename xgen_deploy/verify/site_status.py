"""The state of a whole project, from one observation of its hosts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.errors import XgenError, exit_code_of, reason_of
from xgen_deploy.faults import guarded
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.fetching import Fetching, fetching_status
from xgen_deploy.state.host_python import INSTALL_PYTHON
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.observation import Observation, Observed, locks_of, reached, records_of
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site
from xgen_deploy.verify.gateway_status import GatewayStatus, gateway_statuses
from xgen_deploy.verify.monitoring_status import MonitoringStatus, monitoring_statuses
from xgen_deploy.verify.status import Status, host_statuses, unknown_statuses
from xgen_deploy.verify.watchdog import WatchdogStatus, watchdog_status


@dataclass(frozen=True)
class SiteStatus:
    """`locks` are those that are held or waited for, by host; `watchdogs` of hosts with a record,
    None where it is unknown how one is.
    """

    project: str
    observed: Observed
    instances: tuple[Status, ...]
    gateways: tuple[GatewayStatus, ...]
    locks: Mapping[str, LockStatus]
    watchdogs: Mapping[str, WatchdogStatus | None]
    monitoring: tuple[MonitoringStatus, ...] = ()

    @property
    def fetching(self) -> dict[str, Fetching]:
        """What goes on by itself, or ended without an apply since, by host."""
        facts = {n: o for n, o in reached(self.observed).items() if o.facts.fetching is not None}
        states = {n: (fetching_status(o.facts.fetching), o.record) for n, o in facts.items()}
        return {n: s for n, (s, record) in states.items() if s is not None and _counts(s, record)}

    @property
    def unreached(self) -> dict[str, XgenError]:
        return {n: o for n, o in self.observed.items() if isinstance(o, XgenError)}

    @property
    def errors(self) -> dict[str, str]:
        """Why a host is unknown, by host."""
        without_python = {n: _no_python(o) for n, o in reached(self.observed).items()}
        lost = {n: reason_of(e) for n, e in self.unreached.items()}
        return lost | {n: why for n, why in without_python.items() if why}

    @property
    def cordons(self) -> dict[str, tuple[Cordon, ...]]:
        """What is out of service, by host."""
        return {n: r.cordons for n, r in records_of(self.observed).items()}

    @property
    def all_run(self) -> bool:
        """Every instance and every gateway."""
        instances = all(i.status == "running" for i in self.instances)
        return instances and all(g.good for g in self.gateways)

    @property
    def exit_code(self) -> int:
        """Instances of unreachable hosts do not count: those are exit code 4."""
        reached_run = all(
            i.status == "running" or i.host in self.unreached for i in self.instances
        ) and all(g.good or g.status == "unknown" for g in self.gateways)
        if not reached_run or self.errors.keys() - self.unreached.keys():
            return 1
        return exit_code_of(self.unreached.values())


def site_status(site: Site, observed: Observed) -> SiteStatus:
    """What cannot be read of one host is that host's error."""
    return SiteStatus(
        monitoring=monitoring_statuses(site, observed),
        project=site.project,
        observed=observed,
        instances=tuple(s for name in observed for s in _statuses(site, name, observed[name])),
        gateways=gateway_statuses(site, observed),
        locks=locks_of(observed),
        watchdogs={
            n: watchdog_status(o.facts, o.record, o.layout)
            for n, o in reached(observed).items()
            if o.record is not None
        },
    )


def _statuses(site: Site, name: str, observation: Observation | XgenError) -> tuple[Status, ...]:
    statuses = guarded(name, lambda: _observed_statuses(site, name, observation))
    if isinstance(statuses, XgenError):
        return unknown_statuses(site, name, str(statuses).removeprefix(f"{name}: "))
    return statuses


def _observed_statuses(
    site: Site, name: str, observation: Observation | XgenError
) -> tuple[Status, ...]:
    if isinstance(observation, XgenError):
        return unknown_statuses(site, name, reason_of(observation))
    if observation.record is None:
        return unknown_statuses(site, name, observation.record_error)
    layout, record = observation.layout, observation.record
    return host_statuses(site, site.hosts[name], observation.facts, record, layout)


def _no_python(observation: Observation) -> str | None:
    """Why only the GPUs of a host could be observed, and what to do; None for any other host."""
    reason = observation.facts.no_python
    return reason and f"{reason}. {INSTALL_PYTHON}"


def _counts(fetching: Fetching, record: Record | None) -> bool:
    """Unless it ended before the last apply, which brought what was missing, or said so."""
    last = record.last_apply if record is not None else None
    return fetching.alive or last is None or last.began < fetching.began
