"""Models that cannot answer now, and need not: pure."""

from collections.abc import Iterator, Mapping

from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server


def away(routes: tuple[Route, ...], records: Mapping[str, Record]) -> dict[str, str]:
    """By model, why: all of its instances were stopped on purpose, or are on hosts that were not
    looked at. `records` are of the hosts that were.
    """
    found = {}
    for route in routes:
        reasons = [_reason(server, records) for server in route.servers]
        if None not in reasons:
            found[route.model] = "; ".join(_known(reasons)) or "no instance of it is known yet"
    return found


def _reason(server: Server, records: Mapping[str, Record]) -> str | None:
    if server.host not in records:
        return f"{server.host} was not looked at"
    entry = records[server.host].instances.get(server.instance)
    if entry is not None and entry.stopped is not None:
        return f"{server.host}/{server.instance} was stopped on purpose"
    return None


def _known(reasons: list[str | None]) -> Iterator[str]:
    return (reason for reason in dict.fromkeys(reasons) if reason)
