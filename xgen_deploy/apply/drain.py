"""Drains an instance: no new requests, then waits for the active ones, at most a given time.

A gateway tells of its own process alone: one from before its last reload may still be giving long
answers. So the engine itself is asked too, by its gauges.
"""

import time

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.record import InstanceRecord
from xgen_deploy.state.secret_uses import engine_key
from xgen_deploy.verify.checks import get
from xgen_deploy.watchdog.remote import total

_METRICS = "/metrics"
_USUAL = 60.0
_PAUSE = 0.2
# Between two requests of a queue an engine has none for a moment.
_QUIET = 2


def drain_time(declared: InstanceConfig | None) -> float:
    """Seconds that requests get to end, as the manifest says now, or said where it is to go."""
    stated = declared.update.drain if declared else None
    return stated or _USUAL


def drain(context: HostContext, traffic: Traffic, name: str, seconds: float) -> None:
    """Nothing where no gateway sends it requests. Raises NotMoved. Others wait for it meanwhile: so
    no record, but the manifest alone makes it take longer than usual.
    """
    seconds = min(seconds, max(_USUAL, traffic.longest_drain()))
    if not traffic.gateway_hosts_of(context.name, name):
        return
    end = time.monotonic() + seconds
    traffic.drain(context.name, name, seconds)
    last = context.record.instances.get(name)
    if last is not None:
        _wait_idle(context, name, last, end)


def _wait_idle(context: HostContext, name: str, last: InstanceRecord, end: float) -> None:
    # The one that it runs with, which may not be today's any more.
    key = context.secrets_of(name).delivered().get(engine_key(context.name, name))
    backend = backend_named(last.spec.backend)
    gauges = backend.in_flight if backend else ()
    quiet = 0
    while quiet < _QUIET and time.monotonic() < end:
        reply = get(context.session, last.spec, _METRICS, key)
        page = reply.body.decode(errors="replace")
        count = total(gauges, page) if reply.status == 200 else None
        if count is None:
            return
        quiet = 0 if count else quiet + 1
        time.sleep(_PAUSE)
