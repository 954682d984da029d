"""A model moves from one host to another, and engines are stopped, started and restarted, under
load: no request fails, and what fails leaves what worked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import ask, engine_site
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site
from tests.lab.traffic import traffic

PROJECT = "to_ops"
GATEWAY_PORT = 8093
KEY = "sk-door"


@pytest.fixture(scope="module")
def hosts(lab: Lab) -> list[LabHost]:
    found = lab.hosts("lab-gpu", "lab-fleet")
    for host in found:
        engine_site.place_models(host)
    return found


@pytest.fixture(scope="module")
def site(hosts: list[LabHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One model on the first host behind a gateway on the second."""
    old, gateway = hosts
    found = Site(tmp_path_factory.mktemp("ops"), PROJECT, ports="8171-8176")
    found.env["CLIENTS_KEY"] = KEY
    found.models["tiny"] = engine_site.tiny(update={"drain": "20s"})
    found.hosts = {
        "lab-gpu": {"ansible_host": old.address},
        "lab-fleet-01": {"ansible_host": gateway.address},
    }
    found.serve("lab-gpu", "tiny")
    found.top["gateway"] = {
        "host": "lab-fleet-01",
        "listen": "0.0.0.0",
        "port": GATEWAY_PORT,
        "api_key": {"env": "CLIENTS_KEY"},
    }
    try:
        found.apply()
        yield found
    finally:
        assert found.run("destroy", "-y").code == 0


def test_a_move_whose_new_place_fails_leaves_the_old_one_serving(
    site: Site, hosts: list[LabHost]
) -> None:
    good = site.placements
    bad = {"model": "tiny", "gpus": [], "llama": {"extra_args": ["--rope-scaling", "none-such"]}}
    site.placements = {"lab-fleet-01": [bad]}
    with traffic(hosts[1].address, GATEWAY_PORT, "tiny", KEY, clients=2) as clients:
        clients.more(5)
        done = site.run("apply", "-y")
        clients.more(5)
    assert done.code == 1
    assert "not started, because lab-fleet-01/tiny failed" in done.said
    assert clients.failed == [], done.said
    site.placements = good
    site.apply()


def test_a_model_moves_to_another_host_without_a_failed_request(
    site: Site, hosts: list[LabHost]
) -> None:
    site.placements = {"lab-fleet-01": [{"model": "tiny", "gpus": []}]}
    planned = site.plan(2).operations("lab-gpu")
    assert [(o["action"], o["needs"], o["interrupts"]) for o in planned] == [
        ("remove", ["lab-fleet-01/tiny"], False)
    ]
    with traffic(hosts[1].address, GATEWAY_PORT, "tiny", KEY, clients=2) as clients:
        clients.more(5)
        site.apply()
        clients.more(5)
    assert clients.failed == []
    site.plan(0)
    assert ask.completion(hosts[1], GATEWAY_PORT, model="tiny", key=KEY)
    assert PROJECT not in hosts[0].sh("ls /etc/systemd/system")


def test_replicas_restart_one_after_the_other_without_a_failed_request(
    site: Site, hosts: list[LabHost]
) -> None:
    site.serve("lab-gpu", "tiny")
    site.apply()
    with traffic(hosts[1].address, GATEWAY_PORT, "tiny", KEY, clients=2) as clients:
        clients.more(5)
        done = site.run("restart", "-y")
        clients.more(5)
    assert done.code == 0, done.said
    assert "INTERRUPTS" not in done.said
    assert clients.failed == [], done.said
    stopped = site.run("stop", "-y", "--limit", "lab-gpu", "--json").json()["hosts"]
    assert list(stopped) == ["lab-gpu"]
    site.plan(0)


def test_a_host_out_of_service_costs_no_request_and_comes_back_proved(
    site: Site, hosts: list[LabHost]
) -> None:
    """No apply, reboot of the unit or watchdog starts it meanwhile."""
    host = hosts[0]
    unit = f"xgen-{PROJECT}-tiny.service"
    site.placements = {h: [{"model": "tiny", "gpus": []}] for h in ("lab-gpu", "lab-fleet-01")}
    site.apply()
    assert site.run("start", "-y").code == 0
    with traffic(hosts[1].address, GATEWAY_PORT, "tiny", KEY, clients=2) as clients:
        clients.more(5)
        assert site.run("cordon", "lab-gpu", "-y").code == 0
        assert host.sh(f"systemctl is-active {unit} || true") == "inactive"
        assert host.sh(f"systemctl is-enabled {unit} || true") == "disabled"
        assert "lab-gpu  the host is cordoned by " in site.run("status").stdout
        assert site.plan(0).operations("lab-gpu") == []
        clients.more(5)
        site.models["tiny"]["env"] = {"LLAMA_ARG_BATCH": "nonsense"}
        failed = site.run("uncordon", "lab-gpu", "-y")
        assert failed.code == 1
        assert "it is stopped, and the host stays out of service" in failed.said
        assert host.sh(f"systemctl is-active {unit} || true") != "active"
        assert host.sh(f"systemctl is-enabled {unit} || true") == "disabled"
        del site.models["tiny"]["env"]
        done = site.run("uncordon", "lab-gpu", "-y")
        assert done.code == 0, done.said
        clients.more(5)
    assert clients.failed == [], done.said
    assert host.sh(f"systemctl is-active {unit}") == "active"
    assert site.run("status").code == 0
    assert site.plan(0).operations("lab-gpu") == []
