"""What a host's reporter is asked, from the host's record. Pure."""

import json
from collections.abc import Mapping

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.local_endpoint import local_endpoint
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.record import InstanceRecord, Record


def report_request(host: Host, record: Record | None, layout: Layout, *, interval: float) -> bytes:
    """As live/remote/reporter.py reads it. `interval` is in seconds. Keys stay on the host: it
    gets the names of their files alone."""
    recorded = record.instances if record is not None else {}
    instances = {
        name: _instance(name, last, backend, layout)
        for name, last in recorded.items()
        if last.stopped is None and (backend := backend_named(last.spec.backend)) is not None
    }
    request = {
        "interval": interval,
        "software_gpu": host.software_gpu,
        "instances": {name: asked for name, asked in instances.items() if asked is not None},
    }
    return json.dumps(request).encode()


def _instance(
    name: str, last: InstanceRecord, backend: Backend, layout: Layout
) -> Mapping[str, object] | None:
    """None where its engine tells nothing of its load."""
    if backend.load_metrics is None:
        return None
    return {
        **vars(local_endpoint(name, last, layout)),
        "metrics": vars(backend.load_metrics),
    }
