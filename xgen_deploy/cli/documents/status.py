"""`status --json`."""

from collections.abc import Mapping

from xgen_deploy.cli.documents.base import Document
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.cordon import Cordon
from xgen_deploy.state.fetching import Fetching
from xgen_deploy.state.lock import LockStatus
from xgen_deploy.verify.gateway_status import GatewayStatus
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
