"""Changes behind a gateway while clients ask: two models, two hosts, two replicas each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.lab.engine_site import tiny
from tests.lab.host import LabHost
from tests.lab.site import Site
from tests.lab.traffic import Traffic, traffic

PROJECT = "t_change"
GATEWAY_PORT = 8090
REQUESTS = 2000
KEY = "sk-door"


@pytest.fixture(scope="module")
def site(pair: list[LabHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(
        tmp_path_factory.mktemp("change"), PROJECT, ports="8121-8136", env={"CLIENTS_KEY": KEY}
    )
    for model in ("one", "two"):
        found.models[model] = tiny(update={"drain": "20s"})
        for host in pair:
            found.serve(host.name, model, replicas=2)
    for host in pair:
        found.hosts[host.name] = {"ansible_host": host.address}
    found.top["gateway"] = {
        "host": pair[0].name,
        "listen": "0.0.0.0",
        "port": GATEWAY_PORT,
        "api_key": {"env": "CLIENTS_KEY"},
    }
    found.apply()
    yield found
    assert found.run("destroy", "-y").code == 0
    for host in pair:
        assert PROJECT not in host.sh("find /etc /var/lib; docker ps -a")


def _all_move(site: Site, pair: list[LabHost], strategy: str) -> None:
    planned = site.plan(2)
    assert len(planned.operations(pair[1].name)) == 2
    for host in pair:
        changed = [o for o in planned.operations(host.name) if o["instance"] != "gateway"]
        assert {o["strategy"] for o in changed} == {strategy}
    site.apply()
    site.plan(0)


def _clients(pair: list[LabHost], model: str = "one") -> AbstractContextManager[Traffic]:
    return traffic(pair[0].address, GATEWAY_PORT, model, KEY)


def test_a_change_that_starts_first_costs_no_request(site: Site, pair: list[LabHost]) -> None:
    with _clients(pair) as clients:
        for n_ctx in (320, 384):  # there and back again: both slots
            site.models["one"]["n_ctx"] = n_ctx
            _all_move(site, pair, "start-first")
        clients.more(max(0, REQUESTS - clients.done))
    assert clients.failed == []
    assert clients.done >= REQUESTS


def test_a_change_that_stops_first_costs_no_request(site: Site, pair: list[LabHost]) -> None:
    """One replica at a time, drained before it stops."""
    site.models["one"]["update"] = {"drain": "20s", "strategy": "stop-first"}
    site.models["one"]["n_ctx"] = 448
    with _clients(pair) as clients:
        _all_move(site, pair, "stop-first")
        clients.more(50)
    assert clients.failed == []


def test_a_replica_that_is_killed_takes_its_own_requests_along(
    site: Site, pair: list[LabHost]
) -> None:
    """At most as many as were on it: no client has two at once."""
    unit = f"xgen-{PROJECT}-one.service"
    with _clients(pair) as clients:
        clients.more(40)
        pair[1].sh(f"kill -KILL $(systemctl show -P MainPID {unit})")
        clients.more(200)
    assert len(clients.failed) <= 8, clients.failed


def test_a_replica_that_is_taken_away_costs_no_request(site: Site, pair: list[LabHost]) -> None:
    for host in pair:
        site.placements[host.name][0]["replicas"] = 1
    with _clients(pair) as clients:
        site.apply()
        clients.more(50)
    assert clients.failed == []


def test_a_version_that_fails_stops_the_rest_and_costs_no_request(
    site: Site, pair: list[LabHost]
) -> None:
    """The canary fails: the other host is left alone, the old ones serve."""
    good = dict(site.models["one"])
    site.models["one"] = tiny(llama={"extra_args": ["--rope-scaling", "none-such"]})
    try:
        with _clients(pair) as clients:
            done = site.run("apply", "-y")
            clients.more(50)
        assert done.code == 1
        assert 'argument "--rope-scaling": invalid value' in done.stdout
        assert "The one that runs was left as it is, and serves on" in done.stdout
        assert f"FAILED  {pair[1].name}/one  not started, because {pair[0].name}/" in done.stdout
        assert clients.failed == []
    finally:
        site.models["one"] = good
    site.plan(0)


def test_what_is_done_by_hand_is_put_right_and_costs_no_request(
    site: Site, pair: list[LabHost]
) -> None:
    """A comment leaves the engine alone; one that was started from an edited unit is replaced."""
    service, gateway = f"xgen-{PROJECT}-two.service", f"xgen-{PROJECT}-gateway.service"
    unit = f"/etc/systemd/system/{service}"
    start = "systemctl show -P InvocationID "
    before = [pair[1].sh(start + service), pair[0].sh(start + gateway)]
    pair[1].sh(f"echo '# mine' >> {unit}; systemctl daemon-reload; systemctl disable {service}")
    pair[0].sh(f"echo '# mine' >> /etc/systemd/system/{gateway}")
    other = f"xgen-{PROJECT}-two-2.service"
    pair[1].sh(f"sed -i 's/RestartSec=5/RestartSec=7/' /etc/systemd/system/{other}")
    pair[1].sh(f"systemctl daemon-reload; systemctl restart {other}")
    planned = {o["instance"]: o for o in site.plan(2).operations(pair[1].name)}
    assert {o["action"] for o in planned.values()} == {"repair"}
    assert (planned["two"]["interrupts"], planned["two"]["strategy"]) == (False, None)
    assert planned["two-2"]["strategy"] == "start-first"
    edited = planned["two-2"]["diff"][0]
    assert edited["path"].startswith(f"{other}:")
    assert (edited["before"], edited["after"]) == ("RestartSec=7", "RestartSec=5")
    with _clients(pair, "two") as clients:
        clients.more(50)
        site.apply()
        clients.more(50)
    assert clients.failed == []
    assert [pair[1].sh(start + service), pair[0].sh(start + gateway)] == before
    assert pair[1].sh(f"systemctl is-enabled {service}") == "enabled"
    site.plan(0)
