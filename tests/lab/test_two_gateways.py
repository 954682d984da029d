"""Two gateway hosts, each with all models, as for those who put an address in front of both."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.lab import ask
from tests.lab.engine_site import tiny
from tests.lab.host import LabHost
from tests.lab.site import Site
from tests.lab.traffic import Traffic, traffic

PROJECT = "t_doors"
GATEWAY_PORT = 8091


@pytest.fixture(scope="module")
def site(pair: list[LabHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("doors"), PROJECT, ports="8141-8146")
    found.env |= {"CLIENTS_KEY": "sk-door-1", "ENGINE_KEY": "sk-engine-1"}
    found.models["tiny"] = tiny(api_key={"env": "ENGINE_KEY"}, update={"drain": "20s"})
    for host in pair:
        found.serve(host.name, "tiny")
        found.hosts[host.name] = {"ansible_host": host.address}
    found.top["gateway"] = {
        "hosts": [host.name for host in pair],
        "listen": "0.0.0.0",
        "port": GATEWAY_PORT,
        "api_key": {"env": "CLIENTS_KEY"},
    }
    found.apply()
    yield found
    assert found.run("destroy", "-y").code == 0


@contextmanager
def _clients(site: Site, pair: list[LabHost]) -> Iterator[list[Traffic]]:
    """Four at each door."""
    key = site.env["CLIENTS_KEY"]
    with ExitStack() as stack:
        yield [
            stack.enter_context(traffic(host.address, GATEWAY_PORT, "tiny", key, clients=4))
            for host in pair
        ]


def _failed(gateways: list[Traffic]) -> list[str]:
    return [said for gateway in gateways for said in gateway.failed]


def test_both_serve_and_both_move_the_requests_of_a_change(site: Site, pair: list[LabHost]) -> None:
    with _clients(site, pair) as gateways:
        site.models["tiny"]["n_ctx"] = 320
        site.apply()
        for gateway in gateways:
            gateway.more(50)
    assert _failed(gateways) == []
    site.plan(0)


def test_one_that_is_down_does_not_keep_the_other_from_serving(
    site: Site, pair: list[LabHost]
) -> None:
    unit = f"xgen-{PROJECT}-gateway"
    pair[0].sh(f"systemctl stop {unit}")
    assert ask.completion(pair[1], GATEWAY_PORT, model="tiny", key=site.env["CLIENTS_KEY"])
    stands = {d["host"]: d["status"] for d in site.run("status", "--json").json()["gateways"]}
    assert stands == {pair[0].name: "down", pair[1].name: "up"}
    causes = site.plan(3).causes(pair[0].name)
    assert causes == {"gateway": "repair: it was stopped by hand, or exited"}
    site.apply()
    assert ask.completion(pair[0], GATEWAY_PORT, model="tiny", key=site.env["CLIENTS_KEY"])


def test_a_new_key_for_clients(site: Site, pair: list[LabHost]) -> None:
    """Both gateways take the new one and refuse the old; neither is in what they show."""
    old, new = "sk-door-1", "sk-door-2"
    site.env["CLIENTS_KEY"] = new
    site.apply()
    for host in pair:
        assert ask.completion(host, GATEWAY_PORT, model="tiny", key=new)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask.completion(host, GATEWAY_PORT, model="tiny", key=old)
        assert _places_of(host, new, old) == []
    site.plan(0)


def test_a_new_key_for_engines_costs_no_request(site: Site, pair: list[LabHost]) -> None:
    """Clients never see it: each engine is asked with the key that it has."""
    site.env["ENGINE_KEY"] = "sk-engine-2"
    _no_request_fails(site, pair, 0)
    for row in _rows(site):
        host = next(h for h in pair if h.name == row["host"])
        assert ask.completion(host, row["port"], model="tiny", key="sk-engine-2")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            ask.completion(host, row["port"], model="tiny", key="sk-engine-1")
        assert _places_of(host, "sk-engine-1", "sk-engine-2") == []
    site.plan(0)


@pytest.mark.parametrize("strategy", ["auto", "stop-first"])
def test_a_new_key_with_a_version_that_fails_costs_no_request(
    site: Site, pair: list[LabHost], strategy: str
) -> None:
    """The canary fails: all go on with the key that they have, and the next apply brings the new
    one out."""
    good = {**site.models["tiny"], "update": {"drain": "20s", "strategy": strategy}}
    bad = {"extra_args": [*good["llama"].get("extra_args", ()), "--rope-scaling", "none-such"]}
    site.env["ENGINE_KEY"] = f"sk-engine-{strategy}"
    site.models["tiny"] = {**good, "llama": {**good["llama"], **bad}}
    _no_request_fails(site, pair, 1)
    site.models["tiny"] = good
    _no_request_fails(site, pair, 0)
    site.plan(0)


def _no_request_fails(site: Site, pair: list[LabHost], code: int) -> None:
    """While an apply ends with this exit code, and afterwards."""
    with _clients(site, pair) as gateways:
        done = site.run("apply", "-y")
        for gateway in gateways:
            gateway.more(50)
    assert done.code == code, done.said
    assert _failed(gateways) == [], done.said


def _rows(site: Site) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = site.run("status", "--json").json()["models"]
    return rows


def _places_of(host: LabHost, *secrets: str) -> list[str]:
    """Where they are seen: processes, units, what the project keeps, the journal."""
    script = (
        "ps axww -o args; systemctl show 'xgen-*'; journalctl -b --no-pager -u 'xgen-*';"
        f" cat /etc/systemd/system/xgen-* /etc/xgen-deploy/{PROJECT}/gateway/haproxy.cfg;"
        f" find /var/lib/xgen-deploy/{PROJECT} -type f -exec cat {{}} +"
    )
    seen = host.sh(script)
    return [secret for secret in secrets if secret in seen]
