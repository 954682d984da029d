"""Transfers that a host is given to carry out by itself, however long nobody is connected."""

from xgen_deploy.state.transfer import DetachedRequest
from xgen_deploy.transfer.host_transfer import LINE, event_of
from xgen_deploy.transport.base import Connection, HostError
from xgen_deploy.transport.process import heard

_STARTS_WITHIN = 60.0


def start_detached(connection: Connection, request: DetachedRequest) -> None:
    """Returns once they go on without this machine. Raises UnreachableError and HostError."""
    name = connection.name
    with connection.transfer(request.line()) as (process, first):
        for lines in heard(process, first, limit=LINE, within=_STARTS_WITHIN):
            for line in lines:
                event = event_of(name, line)
                if event.event == "failed":
                    raise HostError(name, event.text)
                if event.event == "detached":
                    return
