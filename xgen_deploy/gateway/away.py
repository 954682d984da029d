"""Models that may have no instance to answer now. Pure."""

from collections.abc import Container, Iterator, Mapping

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server


class Away(Frozen):
    """Why. `excused`: whoever runs this knows it already, so that it is no difference."""

    reason: str
    excused: bool = True


def away(
    routes: tuple[Route, ...], records: Mapping[str, Record], elsewhere: Container[str] = ()
) -> dict[str, Away]:
    """By model, for those whose instances all were stopped on purpose or are on hosts that were
    not observed. `records` are of the hosts that were; `elsewhere` are hosts outside `--limit`,
    of which nobody knows whether their instances should run.
    """
    by_model = {}
    for route in routes:
        reasons = [_reason(server, records, elsewhere) for server in route.servers]
        if None not in reasons:
            by_model[route.model] = Away(
                reason="; ".join(_stated(reasons)) or "it has no instance yet",
                excused=not any(s.host in elsewhere for s in route.servers),
            )
    return by_model


def _reason(server: Server, records: Mapping[str, Record], elsewhere: Container[str]) -> str | None:
    if server.host in elsewhere:
        return f"{server.host} is outside --limit"
    if server.host not in records:
        return f"{server.host} was not observed"
    return stopped_reason(server, records)


def stopped_reason(server: Server, records: Mapping[str, Record]) -> str | None:
    """That it was stopped on purpose; None where it was not, or where that is unknown."""
    record = records.get(server.host)
    entry = record.instances.get(server.instance) if record else None
    if entry is None or entry.stopped is None:
        return None
    return f"{server.host}/{server.instance} was stopped on purpose"


def _stated(reasons: list[str | None]) -> Iterator[str]:
    return (reason for reason in dict.fromkeys(reasons) if reason)
