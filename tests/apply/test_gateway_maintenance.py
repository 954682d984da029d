"""The gateway is a name that `stop`, `start` and `restart` know."""

import json

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.site import FakeSite
from tests.fake_host.systemd import UNIT_DIR

UNIT = "xgen-p-gateway.service"


def gateway(site: FakeSite) -> dict[str, str]:
    (shown,) = json.loads(site.run("status", "--json").said)["gateways"]
    return dict(shown)


def done(site: FakeSite, *words: str) -> str:
    ran = site.run(*words, "-y")
    assert ran.code == 0, ran.said
    return ran.said


def test_restart_starts_it_anew_and_asks_every_model(gateway_site: FakeSite) -> None:
    before = gateway_site.hosts["g"].gateway_starts
    said = done(gateway_site, "restart", "gateway")
    assert gateway_site.hosts["g"].gateway_starts == before + 1
    assert "~ restart gateway" in said
    assert "1 INTERRUPTION: gateway" in said
    assert "1 model answers" in said
    assert gateway_site.pending_operations() == []


def test_a_stopped_gateway_stays_stopped_until_started(gateway_site: FakeSite) -> None:
    host = gateway_site.hosts["g"]
    done(gateway_site, "stop", "gateway")
    assert host.haproxy is None
    assert not host.systemd.unit(UNIT).enabled
    shown = gateway(gateway_site)
    assert shown["status"] == "stopped"
    assert "`xgen-deploy start` starts it" in shown["reason"]
    assert gateway_site.run("status").code == 1
    assert gateway_site.run("verify").code == 0, "it was stopped on purpose"
    assert "is already stopped" in done(gateway_site, "stop", "gateway")
    assert "stays stopped" in done(gateway_site, "restart", "gateway")
    gateway_site.apply()
    assert host.haproxy is None
    said = done(gateway_site, "start", "gateway")
    assert "1 model answers" in said
    assert host.systemd.unit(UNIT).enabled
    assert gateway(gateway_site)["status"] == "up"
    assert "is already running" in done(gateway_site, "start", "gateway")


def test_one_that_runs_though_it_was_stopped_is_a_difference(gateway_site: FakeSite) -> None:
    done(gateway_site, "stop", "gateway")
    gateway_site.hosts["g"].systemd.run(["systemctl", "start", UNIT])
    ran = gateway_site.run("verify")
    assert ran.code == 1
    assert "g/gateway  stopped: " in ran.said
    assert "it runs all the same, without a proof" in ran.said


def test_what_changes_while_it_is_stopped_waits_for_its_start(gateway_site: FakeSite) -> None:
    done(gateway_site, "stop", "gateway")
    gateway_site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    gateway_site.change(lambda m: m["hosts"]["h"].append(q(name="q-2")))
    gateway_site.change(lambda m: m["gateway"].update(queue_timeout="9s"))
    said = gateway_site.apply()
    assert "the gateway stays as it is" in said
    assert gateway_site.hosts["g"].haproxy is None
    done(gateway_site, "start", "gateway")
    haproxy = gateway_site.hosts["g"].haproxy
    assert haproxy is not None
    assert {"h.q", "h.q-2"} <= {s for pool in haproxy.pools.values() for s in pool.servers}
    assert gateway_site.pending_operations() == ["g/gateway update"]


def test_one_that_does_not_start_is_stopped_as_before(gateway_site: FakeSite) -> None:
    host = gateway_site.hosts["g"]
    done(gateway_site, "stop", "gateway")
    gateway_site.hosts["h"].systemd.run(["systemctl", "stop", "xgen-p-q.service"])
    ran = gateway_site.run("start", "gateway", "-y")
    assert ran.code == 1, ran.said
    assert "It was stopped again" in ran.said
    assert host.haproxy is None
    assert gateway(gateway_site)["status"] == "stopped"


@pytest.mark.parametrize("action", ["stop", "start", "restart"])
def test_one_that_was_never_applied_is_refused(make_site: MakeSite, action: str) -> None:
    site = make_site()
    site.apply()
    site.change(lambda m: m.update(gateway={"host": "h", "port": 9000}))
    ran = site.run(action, "gateway", "-y")
    assert ran.code == 1
    assert "never applied on this host" in ran.said


def test_its_stop_is_no_drift_and_destroy_takes_it_away(gateway_site: FakeSite) -> None:
    done(gateway_site, "stop", "gateway")
    assert gateway_site.run("plan", "--drift", "--detailed-exitcode").code == 0
    done(gateway_site, "destroy")
    assert f"{UNIT_DIR}/{UNIT}" not in gateway_site.hosts["g"].files
