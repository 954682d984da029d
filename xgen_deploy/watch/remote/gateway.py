"""What the gateway of this host says: its own metrics, those of its clients, and how many servers
each model has."""

from __future__ import annotations

from typing import Any

from xgen_deploy.watch.relayed import CLIENTS, HAPROXY
from xgen_deploy.watch.remote.exposition import GATEWAY, read_page
from xgen_deploy.watch.remote.http_get import Where, get
from xgen_deploy.watch.remote.samples import Sample, sample
from xgen_deploy.watch.remote.sources import Answer

# Of the time that there is, for each of two pages.
SHARE = 0.45
PAGE = "/metrics?scope=global&scope=frontend&scope=backend&scope=server"
OK = 200
# Of these only the state that a server is in: there are two dozen of them, for each server.
STATES = "haproxy_server_check_status"


def ask_gateway(gateway: dict[str, Any], seconds: float) -> Answer:
    """Within so many seconds."""
    patience = seconds * SHARE
    where = Where(gateway["address"], gateway["port"], gateway["tls"])
    try:
        page = _read(where, PAGE, patience)
        samples = [_named(s, gateway) for s in read_page(page, HAPROXY, {}, GATEWAY)]
        if gateway["clients"]:
            samples += read_page(_read(where, "/metrics/clients", patience), CLIENTS, {})
    except (OSError, ValueError) as error:
        return Answer([sample("xgen_gateway_up", 0)], str(error))
    kept = [s for s in samples if s.name != STATES or s.value]
    return Answer([sample("xgen_gateway_up", 1), *_servers(samples, gateway), *kept])


def _read(where: Where, path: str, seconds: float) -> bytes:
    response = get(where, path, seconds, GATEWAY.size)
    if response.status != OK:
        raise ValueError(f"its metrics answer {response.status}")
    return response.body


def _named(each: Sample, gateway: dict[str, Any]) -> Sample:
    """With the model of a pool and the instance of a server."""
    labels = dict(each.labels)
    model = gateway["pools"].get(labels.get("proxy"))
    instance = gateway["servers"].get(labels.get("server"))
    added = (("model", model), ("instance", instance))
    return each._replace(labels=(*each.labels, *((n, v) for n, v in added if v is not None)))


def _servers(samples: list[Sample], gateway: dict[str, Any]) -> list[Sample]:
    count = dict.fromkeys(gateway["pools"].values(), 0)
    healthy = dict(count)
    for name, labels, value in samples:
        if name == "haproxy_server_status" and ("state", "UP") in labels:
            model = dict(labels).get("model")
            if model in count:
                count[model] += 1
                healthy[model] += value > 0
    return [
        *(sample("xgen_gateway_model_servers", n, model=m) for m, n in count.items()),
        *(sample("xgen_gateway_model_servers_healthy", n, model=m) for m, n in healthy.items()),
    ]
