"""An update that starts the new one first: both run, the gateway moves the requests over, then the
old one goes. Whatever fails before that leaves the old one as it was, and loses no request.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from xgen_deploy.apply.drain import drain, drain_time
from xgen_deploy.apply.events import Event, Listener
from xgen_deploy.apply.gate import Good
from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.apply.rollback import forget_previous
from xgen_deploy.apply.stop_first import (
    Prepared,
    clear_slot,
    failed,
    launch,
    prepare,
    prove,
    remember,
)
from xgen_deploy.apply.traffic import Switch
from xgen_deploy.backends.registry import health_path_of
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.endpoint import Serving, serving_of
from xgen_deploy.state.plan import Operation


def bring_up_beside(
    work: HostAtWork, operation: Operation, switch: Switch, number: int, tell: Listener
) -> Good:
    """Raises apply.operation.Failed."""
    name = operation.name
    old = work.record.instances[name]
    new = prepare(work, operation)
    began = time.monotonic()
    try:
        launch(work, new, tell)
        good = prove(work, new, tell)
        took = time.monotonic() - began
        with switch.moving(work.name, name):
            with _taken_back(work, name, switch):
                switch.add(_serving(work, new))
                drain(work, switch, name, drain_time(new.instance.declared))
                remember(work, new, good, number, took, other_port=old.spec.port)
            switch.rekeyed(work.name, name)
            switch.gone(work.name, name)
    except UnreachableError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the new one goes
        ending = _give_up(work, new)
        tell(Event(kind="rolled_back", host=work.name, instance=name, text=ending))
        raise failed(work, error, ending) from None
    text = f"requests go to port {new.instance.spec.port} now"
    tell(Event(kind="switched", host=work.name, instance=name, text=text))
    clear_slot(work, name, old.slot)
    forget_previous(work, name)
    return good


@contextmanager
def _taken_back(work: HostAtWork, name: str, switch: Switch) -> Iterator[None]:
    """Where it fails, the gateways have the old one alone again."""
    try:
        yield
    except UnreachableError:
        raise
    except Exception:
        switch.enable(work.name, name)
        raise


def _serving(work: HostAtWork, new: Prepared) -> Serving:
    spec = new.instance.spec
    path = health_path_of(spec.backend)
    return serving_of(work.name, new.instance.name, spec, path, second=True)


def _give_up(work: HostAtWork, new: Prepared) -> str:
    """The new one goes; a clause about how it stands."""
    try:
        clear_slot(work, new.instance.name, new.instance.slot)
        work.settle(new.instance.name)
    except XgenError as error:
        return f"Taking the new one away failed too: {error}"
    return "The one that runs was left as it is, and serves on"
