"""The gateways of an apply: changed when every host has done its part, proved by real requests, put
back where they do not serve.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from xgen_deploy.state.gateway_paths import config_file
from xgen_deploy.transport.base import Completed, Reply

BROKEN = Completed(1, "", "configuration error at line 7")


def ask(host: FakeHost, model: str = "q") -> int:
    gateway = host.haproxy
    return (
        gateway.request(b'{"model": "%s"}' % model.encode(), "sk-client").status if gateway else 0
    )


def test_it_begins_to_serve_and_goes_again(make_site: MakeSite) -> None:
    site = make_site({"g": "cpu", "h": "cpu"})
    site.apply()
    site.change(lambda m: m.update(gateway=GATEWAY))
    said = site.apply()
    assert "serves on port 9000, 1 of 1 servers up; 1 model answers" in said
    assert ask(site.hosts["g"]) == 200
    site.change(lambda m: m.pop("gateway"))
    site.change(lambda m: m["hosts"].update(g=[]))
    site.apply()
    assert site.hosts["g"].haproxy is None
    assert not [p for p in site.hosts["g"].files if "gateway" in p]
    assert site.pending_operations() == []


def test_a_model_more_is_a_reload_that_keeps_the_others(gateway_site: FakeSite) -> None:
    gateway = gateway_site.hosts["g"]
    restarts = []
    gateway.before = lambda argv, _: (
        restarts.append(argv) if argv[:2] == ("systemctl", "restart") else None
    )
    gateway_site.change(lambda m: m["models"].update(r=MODEL))
    gateway_site.change(lambda m: m["hosts"]["h"].append({"model": "r", "gpus": []}))
    gateway_site.apply()
    assert restarts == []
    assert (ask(gateway, "q"), ask(gateway, "r"), ask(gateway, "s")) == (200, 200, 404)


def test_what_an_instance_failed_to_become_is_not_routed_to(gateway_site: FakeSite) -> None:
    """The new model fails: the gateway has the routes to what really runs."""
    gateway_site.hosts["h"].engines["--alias r"] = Engine(health=503)
    gateway_site.change(lambda m: m["models"].update(r=MODEL))
    gateway_site.change(lambda m: m["hosts"]["h"].append({"model": "r", "gpus": []}))
    gateway_site.apply(code=1)
    assert ask(gateway_site.hosts["g"], "q") == 200
    assert ask(gateway_site.hosts["g"], "r") != 200


@dataclass(frozen=True)
class Failing:
    """How a change of the gateway fails, and what is said."""

    about: str
    breaks: Callable[[FakeHost], object]
    said: str


def _reload_is_refused(host: FakeHost) -> None:
    host.before = lambda argv, _: BROKEN if argv[1:2] == ("reload",) else None


def _it_stays_as_it_was(host: FakeHost) -> None:
    host.before = lambda argv, _: "" if argv[1:2] == ("reload",) else None


def _its_requests_fail(host: FakeHost) -> None:
    host.peers["h"].engines["--alias q"] = Engine()
    real = host.request

    def request(method: str, port: int, path: str, body: bytes, key: str | None) -> Reply:
        answered = real(method, port, path, body, key)
        return Reply(502, b"bad gateway") if port == 9001 else answered

    host.request = request  # type: ignore[method-assign]


@pytest.mark.parametrize(
    "case",
    [
        Failing("it is refused", _reload_is_refused, "its reload failed: configuration error"),
        Failing("nothing happens", _it_stays_as_it_was, "it did not start to serve within 30 s"),
        Failing("requests fail", _its_requests_fail, "a real request to q failed"),
    ],
    ids=lambda c: c.about,
)
def test_a_change_that_fails_is_undone(case: Failing, gateway_site: FakeSite) -> None:
    gateway = gateway_site.hosts["g"]
    before = gateway.files[config_file(LAYOUT)]
    gateway_site.change(lambda m: m["gateway"].update(port=9001))
    case.breaks(gateway)
    said = gateway_site.apply(code=1)
    assert case.said in said, said
    assert "The previous one serves" in said
    assert gateway.files[config_file(LAYOUT)] == before
    assert ask(gateway) == 200
    record = gateway_site.record("g")
    assert record["gateway"]["spec"]["port"] == 9000
    assert record["last_apply"]["outcome"] == "failed"


def test_it_ends_once_the_previous_one_serves_again(gateway_site: FakeSite) -> None:
    """What is told to the gateway next must not reach the process that is about to go."""
    gateway = gateway_site.hosts["g"]
    gateway_site.change(lambda m: m["gateway"].update(port=9001))
    _its_requests_fail(gateway)
    looks: list[int] = []

    def late(argv: tuple[str, ...], asked: str) -> str | None:
        if "reload-or-restart" in argv:
            looks.append(0)
            return ""
        if asked == "show info" and looks and len(looks) < 4:
            looks.append(0)
            if len(looks) == 4:
                gateway.systemd.restart(unit)
        return None

    unit = f"{LAYOUT.service('gateway')}.service"
    gateway.before = late
    assert "The previous one serves" in gateway_site.apply(code=1)
    assert ask(gateway) == 200


def test_one_gateway_after_the_other(make_site: MakeSite) -> None:
    """One that fails costs the other nothing."""
    gateway = {"hosts": ["f", "g"], "listen": "0.0.0.0", "port": 9000}
    site = make_site({"f": "cpu", "g": "cpu", "h": "cpu"}, gateway=gateway, hosts={"h": [q()]})
    site.apply()
    site.change(lambda m: m["gateway"].update(queue_timeout="30s"))
    _reload_is_refused(site.hosts["f"])
    said = site.apply(code=1)
    assert "The previous one serves" in said
    assert "timeout queue 30000ms" not in site.hosts["f"].files[config_file(LAYOUT)].decode()
    assert "timeout queue 30000ms" in site.hosts["g"].files[config_file(LAYOUT)].decode()
    assert [ask(site.hosts[n]) for n in ("f", "g")] == [200, 200]
