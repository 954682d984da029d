"""No `good` that was not seen: models are asked through their gateways, at the end of an apply that
concerns them and by `verify`, which wants each server up, and the watchdog too.
"""

from __future__ import annotations

import json

import pytest

from tests.apply.conftest import GATEWAY, MakeSite, q
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.transport.base import Reply

LOST = "xgen-p-q.service"


@pytest.fixture
def pair(make_site: MakeSite) -> FakeSite:
    """The model on two hosts behind the gateway of a third, applied."""
    hosts = {"g": "cpu", "h": "cpu", "i": "cpu"}
    site = make_site(hosts, gateway=GATEWAY, hosts={"h": [q()], "i": [q()]})
    site.apply()
    return site


def lose(site: FakeSite, *hosts: str) -> None:
    """The engines there end, and nobody starts them."""
    for host in hosts:
        site.hosts[host].systemd.run(["systemctl", "stop", LOST])


def gateway_answers_502(host: FakeHost) -> None:
    real = host.request

    def request(method: str, port: int, path: str, body: bytes, key: str | None) -> Reply:
        answered = real(method, port, path, body, key)
        return Reply(502, b"bad gateway") if port == 9000 else answered

    host.request = request  # type: ignore[method-assign]


def test_verify_wants_the_gateway_up(pair: FakeSite) -> None:
    assert pair.run("verify").code == 0
    pair.hosts["g"].systemd.run(["systemctl", "stop", "xgen-p-gateway.service"])
    ran = pair.run("verify")
    assert ran.code == 1
    assert "g/gateway  unit and configuration: it was stopped by hand, or exited" in ran.said


def test_verify_wants_each_server_up_that_nobody_stopped(pair: FakeSite) -> None:
    """The host itself finds its engine good; the gateway cannot reach it."""
    gateway = pair.hosts["g"]
    gateway.peers = {**gateway.peers, "i": gateway}
    ran = pair.run("verify")
    assert ran.code == 1
    assert "g/gateway  server i.q: down: Connection refused" in ran.said
    assert "server h.q" not in ran.said
    assert pair.run("stop", "q", "--limit", "i", "-y").code == 0
    ran = pair.run("verify")
    assert (ran.code, "server i.q: i/q was stopped on purpose" in ran.said) == (0, True), ran.said


def test_verify_says_which_gateway_the_limit_left_out(pair: FakeSite) -> None:
    ran = pair.run("verify", "--limit", "h")
    assert (ran.code, "g/gateway  not verified: g is outside --limit" in ran.said) == (0, True)


@pytest.mark.parametrize(
    ("watchdog", "code", "said"),
    [
        ({"timer": "active", "enabled": True}, 0, ""),
        ({"timer": "inactive", "enabled": True}, 1, "watchdog: it is stopped: its timer is"),
        ({"timer": "active", "enabled": False}, 1, "watchdog: it is stopped: its timer is dis"),
        ({"timer": None}, 1, "watchdog: it is absent"),
        ({"timer": "active", "enabled": True, "result": "exit-code"}, 1, "watchdog: it is failed"),
    ],
)
def test_verify_wants_the_watchdog_to_work(
    site: FakeSite, watchdog: dict[str, object], code: int, said: str
) -> None:
    site.apply()
    site.hosts["h"].watchdog = watchdog
    ran = site.run("verify")
    assert (ran.code, said in ran.said) == (code, True), ran.said


def test_a_gateway_without_a_server_up_is_never_good(pair: FakeSite) -> None:
    lose(pair, "h", "i")
    pair.change(lambda m: m["gateway"].update(queue_timeout="30s"))
    ran = pair.run("apply", "-y", "--limit", "g")
    assert ran.code == 1
    assert "0 of 2 servers up" in ran.said
    assert "nothing answers for q: h is outside --limit; i is outside --limit" in ran.said
    assert "all good" not in ran.said
    assert pair.record("g")["gateway"]["spec"]["queue_timeout"] == 30
    assert pair.record("g")["last_apply"]["outcome"] == "failed"


def test_what_is_outside_the_limit_is_asked_where_a_server_is_up(pair: FakeSite) -> None:
    lose(pair, "h")
    pair.change(lambda m: m["gateway"].update(queue_timeout="30s"))
    ran = pair.run("apply", "-y", "--limit", "g")
    assert (ran.code, "1 of 2 servers up" in ran.said, "all good" in ran.said) == (0, True, True)


def test_what_was_stopped_on_purpose_is_said_instead_of_good(pair: FakeSite) -> None:
    assert pair.run("stop", "q", "-y").code == 0
    pair.change(lambda m: m["gateway"].update(queue_timeout="30s"))
    said = pair.apply()
    assert "1 done, not verified: q (h/q was stopped on purpose; i/q" in said
    assert "all good" not in said
    pair.change(lambda m: m["gateway"].update(queue_timeout="40s"))
    end = json.loads(pair.run("apply", "-y", "--json").said.splitlines()[-1])
    assert (end["failed"], list(end["not_verified"])) == (0, ["q"])


def test_what_an_apply_changed_is_asked_through_a_gateway_that_did_not_change(
    pair: FakeSite,
) -> None:
    pair.change(lambda m: m["models"]["q"].update(n_ctx=4096, update={"strategy": "stop-first"}))
    said = pair.apply()
    assert "g/gateway  1 model answers" in said, said
    gateway_answers_502(pair.hosts["g"])
    pair.change(lambda m: m["models"]["q"].update(n_ctx=2048))
    said = pair.apply(code=1)
    assert "g/gateway  a real request to q failed" in said
    assert "2 done, 1 FAILED" in said


def test_a_repaired_instance_answers_through_the_gateway(pair: FakeSite) -> None:
    lose(pair, "h", "i")
    assert "g/gateway  1 model answers" in pair.apply()
    gateway_answers_502(pair.hosts["g"])
    assert pair.run("restart", "q", "-y").code == 1
