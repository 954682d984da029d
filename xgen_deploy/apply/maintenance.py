"""Stopping and starting on purpose: remembered on the host, so that it is no drift."""

import time

from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.apply.watch import watch
from xgen_deploy.errors import XgenError
from xgen_deploy.record import InstanceRecord, Stopped


def stop(work: HostAtWork, name: str, by: str) -> str:
    """A line for people. It stays stopped over boots and applies, until `start`."""
    last = _known(work, name)
    _remember(work, name, last.model_copy(update={"stopped": Stopped(by=by, at=time.time())}))
    work.supervision.stop(work.layout.service(work.record.slotted(name)))
    return f"{work.name}/{name}: stopped; `xgen-deploy start` starts it again"


def start(work: HostAtWork, name: str) -> str:
    """A line for people."""
    last = _known(work, name)
    work.supervision.prepare()
    work.supervision.start(work.layout.service(work.record.slotted(name)))
    _remember(work, name, last.model_copy(update={"stopped": None, "invocation": None}))
    return f"{work.name}/{name}: started; `xgen-deploy status` shows when it is ready"


def restart(work: HostAtWork, name: str) -> str:
    """A line for people. What was stopped on purpose is left so."""
    last = _known(work, name)
    if last.stopped is not None:
        return f"{work.name}/{name}: left stopped, as {last.stopped.by} wanted; use start"
    return start(work, name)


def _known(work: HostAtWork, name: str) -> InstanceRecord:
    last = work.record.instances.get(name)
    if last is None:
        raise XgenError(f"{work.name}: {name} was never applied here; `xgen-deploy apply` does")
    return last


def _remember(work: HostAtWork, name: str, entry: InstanceRecord) -> None:
    work.keep(instances={**work.record.instances, name: entry})
    watch(work)
