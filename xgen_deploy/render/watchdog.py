"""The files of the watchdog, the timer that restarts a host's hanging engines."""

import json
from typing import TypeGuard

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.local_endpoint import local_endpoint
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.render.rendered import File
from xgen_deploy.render.templates import Templates
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord, Record

WATCHDOG_PROGRAM = "heal.py"
# With active requests, an engine counts as hanging after so many seconds without progress, and so
# many for each token of a batch: a slow integrated GPU works for minutes on one batch of a prompt.
_STILL = 20 * 60.0
_STILL_TOKEN = 0.6
# How many seconds a start may take until the first response: some refuse connections for minutes.
_LOADING = 30 * 60.0
_LOADING_FACTOR = 5


def watchdog_files(
    record: Record, layout: Layout, templates: Templates, python: str | None
) -> tuple[File, ...]:
    """Program, settings, service and timer; () where there is no engine to watch, and where the
    host has no usable interpreter. `python` is the path of the one that the probe ran in.
    """
    watched = {
        name: _settings(name, last, backend, layout)
        for name, last in record.instances.items()
        if last.stopped is None and (backend := backend_named(last.spec.backend)) is not None
    }
    if not watched or layout.process_dir is not None or not usable(python):
        return ()
    program, config, service, timer = layout.watchdog_files
    state = layout.watchdog_state
    values = {
        "project": record.project,
        "argv": (python, "-I", program, config, state),
        "state_dir": layout.state_dir,
    }
    text = json.dumps({"format": 1, "lock": layout.lock, "instances": watched}, indent=1)
    return (
        File(program, templates.raw(WATCHDOG_PROGRAM), 0o600),
        File(config, text, 0o600),
        File(service, templates.text("watchdog.service.j2", values), 0o644),
        File(timer, templates.text("watchdog.timer.j2", values), 0o644),
    )


def usable(python: str | None) -> TypeGuard[str]:
    """Whether this path of an interpreter can be written into a unit."""
    return python is not None and python.startswith("/") and python.isprintable()


def _settings(
    name: str, last: InstanceRecord, backend: Backend, layout: Layout
) -> dict[str, object]:
    """What watchdog/remote.py needs to know of an instance; its keys are that program's."""
    spec = last.spec
    smoke_request = backend.smoke_request(spec)
    endpoint = local_endpoint(name, last, layout)
    return {
        "unit": f"{layout.service(name + last.slot)}.service",
        "address": endpoint.address,
        "port": endpoint.port,
        "counters": backend.counters,
        "in_flight": backend.in_flight,
        "still": max(_STILL, _STILL_TOKEN * backend.batch_tokens(spec)),
        "loading": max(_LOADING, _LOADING_FACTOR * (last.ready_seconds or 0)),
        "path": smoke_request.path,
        "body": {**smoke_request.body, **({"max_tokens": 1} if spec.type == "llm" else {})},
        "key_file": endpoint.key_file,
        "key_pattern": endpoint.key_pattern,
    }
