"""Transfers that a host is given to carry out by itself, however long nobody is connected."""

from xgen_deploy.state.transfer import DetachedRequest
from xgen_deploy.transfer.host_transfer import LINE, event_of
from xgen_deploy.transport.base import Connection, HostError
from xgen_deploy.transport.process import Lines

_STARTS_WITHIN = 60.0


def start_detached(connection: Connection, request: DetachedRequest) -> None:
    """Returns once they go on without this machine. Raises UnreachableError and HostError."""
    name = connection.name
    with connection.transfer(request.line()) as (process, got):
        lines = Lines(LINE)
        while True:
            for line in lines.add(got.out):
                event = event_of(name, line)
                if event.event == "failed":
                    raise HostError(name, event.text)
                if event.event == "detached":
                    return
            if got.ended:
                raise ConnectionError("the program there ended")
            try:
                got = process.read(_STARTS_WITHIN)
            except TimeoutError:
                raise ConnectionError(f"nothing heard for {_STARTS_WITHIN:.0f} s") from None
