"""`status --json`."""

from collections.abc import Iterator, Mapping

from xgen_deploy.documents.applied_commit import AppliedCommit
from xgen_deploy.documents.base import Document
from xgen_deploy.documents.error_entry import ErrorEntry, host_errors
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.fetching import Fetching
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.state.observation import Observed, reached
from xgen_deploy.verify.gateway_status import GatewayStatus
from xgen_deploy.verify.monitoring_status import MonitoringStatus
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status
from xgen_deploy.verify.watchdog import WatchdogStatus


class HostEntry(Frozen):
    """`lock` is None where it is free, `fetching` where no fetch goes on by itself, `watchdog` and
    `cordons` where they are unknown."""

    reachable: bool
    error: str | None
    lock: LockStatus | None
    watchdog: WatchdogStatus | None
    cordons: tuple[Cordon, ...] | None
    fetching: Fetching | None = None


class StatusDocument(Document):
    hosts: Mapping[str, HostEntry] | None = None
    models: tuple[Status, ...] | None = None
    gateways: tuple[GatewayStatus, ...] | None = None
    monitoring: tuple[MonitoringStatus, ...] | None = None
    applied_commit: AppliedCommit | None = None


def status_document(status: SiteStatus) -> StatusDocument:
    return StatusDocument(
        hosts={
            n: HostEntry(
                reachable=n not in status.unreached,
                error=status.errors.get(n),
                lock=status.locks.get(n),
                watchdog=status.watchdogs.get(n),
                cordons=status.cordons.get(n),
                fetching=status.fetching.get(n),
            )
            for n in status.observed
        },
        models=status.instances,
        gateways=status.gateways,
        monitoring=status.monitoring,
        errors=tuple(_errors(status.observed)),
    )


def _errors(observed: Observed) -> Iterator[ErrorEntry]:
    """Of hosts that could not be observed, or not whole."""
    yield from host_errors(observed)
    for name, observation in reached(observed).items():
        if observation.record is None:
            yield ErrorEntry(message=observation.record_error, host=name)
