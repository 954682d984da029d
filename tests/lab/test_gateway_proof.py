"""A gateway counts once it answered for its models, and serves what runs until then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import ask
from tests.lab.engine_site import differences, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site
from tests.lab.traffic import traffic

PROJECT = "tg_proof"
GATEWAY_PORT = 8094
KEY = "sk-tg-door"
OWN_KEY = f"/etc/xgen-deploy/{PROJECT}/gateway/proof.key"


@pytest.fixture(scope="module")
def site(pair: list[LabHost], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The gateway on one host, the only instance on the other."""
    found = Site(
        tmp_path_factory.mktemp("proof"), PROJECT, ports="8151-8156", env={"CLIENTS_KEY": KEY}
    )
    gateway, back = pair
    found.models["old"] = tiny(update={"drain": "10s"})
    found.serve(back.name, "old", name="m")
    for host in pair:
        found.hosts[host.name] = {"ansible_host": host.address}
    found.placements.setdefault(gateway.name, [])
    listening = {"host": gateway.name, "listen": "0.0.0.0", "port": GATEWAY_PORT}
    found.top["gateway"] = {**listening, "api_key": {"env": "CLIENTS_KEY"}}
    yield found
    assert found.run("destroy", "-y").code == 0


def test_a_gateway_that_reaches_no_instance_is_not_good(site: Site, pair: list[LabHost]) -> None:
    """The instance is fine; only the way from the gateway to it is not."""
    gateway, back = pair
    site.hosts[back.name]["xgen_address"] = "192.0.2.1"
    failed = site.run("apply", "-y")
    assert failed.code == 1, failed.said
    assert "a real request to old failed" in failed.said
    assert "0 of 1 servers up" in failed.said
    assert ask.status_of(gateway, GATEWAY_PORT) == 0
    del site.hosts[back.name]["xgen_address"]
    applied = site.apply()
    assert "1 model answers" in applied.said
    site.plan(0)


def test_verify_asks_every_model_through_the_gateway(site: Site, pair: list[LabHost]) -> None:
    """With the clients' key where it is at hand, else with the gateway's own."""
    gateway, back = pair
    assert differences(site) == []
    del site.env["CLIENTS_KEY"]
    assert differences(site) == []
    site.env["CLIENTS_KEY"] = KEY
    own = gateway.sh(f"stat -c '%a %U' {OWN_KEY}; cat {OWN_KEY}").split()
    assert own[:2] == ["600", "root"]
    seen = gateway.sh(
        f"cat /var/lib/xgen-deploy/{PROJECT}/record.json /etc/xgen-deploy/{PROJECT}/gateway/*.cfg;"
        f" journalctl -b --no-pager -u 'xgen-{PROJECT}-*'"
    )
    assert own[2] not in seen
    back.sh(f"systemctl stop xgen-{PROJECT}-m")
    (only,) = [d for d in differences(site) if d.startswith("real request to old")]
    assert "0 of 1 servers up" in only
    site.apply()


@pytest.mark.parametrize("strategy", ["start-first", "stop-first"])
def test_another_model_under_the_same_name_that_fails_leaves_the_old_one_served(
    site: Site, pair: list[LabHost], strategy: str
) -> None:
    gateway = pair[0]
    update = {"drain": "10s", "strategy": strategy}
    site.models["new"] = tiny(update=update, llama={"extra_args": ["--rope-scaling", "none-such"]})
    site.placements[pair[1].name][0]["model"] = "new"
    failed = site.run("apply", "-y")
    assert failed.code == 1, failed.said
    assert ask.completion(gateway, GATEWAY_PORT, model="old", key=KEY)
    site.models["new"] = tiny(update=update)
    with traffic(gateway.address, GATEWAY_PORT, "old", KEY, clients=2) as clients:
        clients.more(5)
    assert clients.failed == []
    site.apply()
    assert ask.completion(gateway, GATEWAY_PORT, model="new", key=KEY)
    site.plan(0)
    site.placements[pair[1].name][0]["model"] = "old"
    site.models["old"] = tiny(update=update)
    site.apply()
    assert ask.completion(gateway, GATEWAY_PORT, model="old", key=KEY)
