"""Models that cannot be expected to answer now. Pure."""

from collections.abc import Iterator, Mapping

from xgen_deploy.state.record import Record
from xgen_deploy.state.routes import Route, Server


def away(routes: tuple[Route, ...], records: Mapping[str, Record]) -> dict[str, str]:
    """Model -> reason, for models whose instances all were stopped on purpose or are on hosts that
    were not observed. `records` are of the hosts that were.
    """
    reasons_by_model = {}
    for route in routes:
        reasons = [_reason(server, records) for server in route.servers]
        if None not in reasons:
            reasons_by_model[route.model] = "; ".join(_stated(reasons)) or "it has no instance yet"
    return reasons_by_model


def _reason(server: Server, records: Mapping[str, Record]) -> str | None:
    if server.host not in records:
        return f"{server.host} was not observed"
    entry = records[server.host].instances.get(server.instance)
    if entry is not None and entry.stopped is not None:
        return f"{server.host}/{server.instance} was stopped on purpose"
    return None


def _stated(reasons: list[str | None]) -> Iterator[str]:
    return (reason for reason in dict.fromkeys(reasons) if reason)
