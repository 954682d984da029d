"""A server that a change drained gets requests again, however the change ended."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
import yaml

from tests.fake_host.host import LAYOUT, FakeHost
from tests.hostile.conftest import OTHER, Site
from xgen_deploy.apply import stop_first
from xgen_deploy.errors import UnreachableError, XgenError
from xgen_deploy.state.gateway_paths import config_file


@pytest.fixture
def placed(site: Site) -> dict[str, Any]:
    """How the instance is placed."""
    manifest = yaml.safe_load((site.folder / "manifest.yaml").read_text())
    found: dict[str, Any] = manifest["hosts"]["h"][0]
    return found


def applied(site: Site, **fields: Any) -> None:
    site.change(lambda manifest: manifest.update(fields))
    ran = site.run("apply", "-y")
    assert ran.code == 0, ran.said
    site.settle()


def test_one_gateway_that_fails_keeps_no_other_from_sending_requests_again(
    site: Site, placed: dict[str, Any]
) -> None:
    gateway = {"hosts": ["h", OTHER], "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway={**gateway, "listen": "0.0.0.0"}, hosts={"h": [], OTHER: [placed]})
    site.host.before = lambda _, stdin: "No such server." if stdin.endswith("state ready") else None
    hosts = {"h": [], OTHER: [{**placed, "n_ctx": 4096}]}
    site.change(lambda manifest: manifest.update(hosts=hosts))
    assert "the gateway did not follow" in site.run("apply", "-y").said
    assert set(site.other.server_states.values()) == {"ready"}


def test_a_drain_that_one_gateway_does_not_follow_is_taken_back_at_the_others(
    site: Site, placed: dict[str, Any]
) -> None:
    gateway = {"hosts": ["h", OTHER], "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway={**gateway, "listen": "0.0.0.0"}, hosts={"h": [placed], OTHER: []})
    site.other.before = lambda _, stdin: "refused" if stdin.endswith("state drain") else None
    assert "refused to set server" in site.run("restart", "q", "-y").said
    assert set(site.host.server_states.values()) == {"ready"}


def fills_at(host: FakeHost, disk: FakeHost, *argv: str, stdin: str = "") -> None:
    """The disk is full from this command on the host on."""

    def before(ran: tuple[str, ...], given: str) -> None:
        if ran[: len(argv)] == argv and given.endswith(stdin):
            disk.disk_left = 0

    host.before = before


@pytest.mark.parametrize("good", [True, False])
def test_a_disk_that_is_full_once_it_was_restarted_leaves_no_model_drained(
    site: Site, placed: dict[str, Any], good: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = {"host": OTHER, "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway=gateway, hosts={"h": [placed], OTHER: []})
    fills_at(site.host, site.host, "systemctl", "restart")
    if not good:
        monkeypatch.setattr(stop_first, "prove", _refused)
    site.change(lambda manifest: manifest["hosts"]["h"][0].update(n_ctx=4096))
    ran = site.run("apply", "-y")
    assert ran.code != 0
    assert "put back and serves again, but then: " in ran.said, ran.said
    assert set(site.other.server_states.values()) == {"ready"}


def _refused(*_: object) -> None:
    raise XgenError("it answers nonsense")


def test_a_disk_that_is_full_once_requests_moved_over_leaves_them_with_the_old_one(
    site: Site, placed: dict[str, Any]
) -> None:
    gateway = {"host": OTHER, "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway=gateway, hosts={"h": [placed], OTHER: []})
    record = json.loads(site.host.files[LAYOUT.record])
    record["instances"]["q"]["report"]["host_mib"] = {"CPU": 100.0}
    site.host.document |= {"record": json.dumps(record), "memory_available_mb": 1_000_000}
    site.host.files[LAYOUT.record] = json.dumps(record).encode()
    fills_at(site.other, site.host, stdin="state drain")
    start_first = {"update": {"strategy": "start-first"}, "n_ctx": 4096}
    site.change(lambda manifest: manifest["models"]["q"].update(start_first))
    config = site.other.files[config_file(LAYOUT)]
    ran = site.run("apply", "-y")
    assert "serves on" in ran.said, ran.said
    assert site.host.disk_left is not None
    assert servers(site.other.files[config_file(LAYOUT)]) == servers(config)
    assert "drain" not in site.other.server_states.values()


def servers(config: bytes) -> list[str]:
    """What a gateway's configuration says of where requests go."""
    lines = (line.strip() for line in config.decode().splitlines())
    return [line for line in lines if line.startswith("server ")]


@pytest.mark.parametrize("killed", [False, True])
def test_where_apply_is_lost_in_the_middle_a_guard_makes_the_gateway_send_requests_again(
    site: Site, placed: dict[str, Any], killed: bool
) -> None:
    gateway = {"host": OTHER, "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway=gateway, hosts={"h": [placed], OTHER: []})
    site.change(lambda manifest: manifest["hosts"]["h"][0].update(n_ctx=4096))

    def lost(argv: tuple[str, ...], _: str) -> None:
        if argv[:2] == ("systemctl", "restart"):
            raise KeyboardInterrupt if killed else UnreachableError("h", "it is gone")

    site.host.before = lost
    with suppress(KeyboardInterrupt):
        site.run("apply", "-y")
    assert set(site.other.server_states.values()) == {"ready"}
    ran = site.other.ran
    (armed,) = (argv for argv in ran if argv[0] == "systemd-run" and ".drained" in argv[3])
    assert armed[3] == f"--unit={LAYOUT.drained_guard('h.q')}"
    assert armed[4:6] == ("flock", LAYOUT.lock)
    assert armed[-1] == "set server q/h.q state ready"
    assert ran.index(armed) < len(ran) - 1
    assert ("systemctl", "stop", LAYOUT.drained_guard("h.q")) not in ran


@pytest.mark.parametrize("command", ["apply", "restart", "stop"])
def test_a_change_that_ends_well_leaves_no_guard_at_the_gateway(
    site: Site, placed: dict[str, Any], command: str
) -> None:
    gateway = {"host": OTHER, "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
    applied(site, gateway=gateway, hosts={"h": [placed], OTHER: []})
    if command == "apply":
        site.change(lambda manifest: manifest["hosts"]["h"][0].update(n_ctx=4096))
    ran = site.run(command, *(() if command == "apply" else ("q",)), "-y")
    assert ran.code == 0, ran.said
    guard = LAYOUT.drained_guard("h.q")
    armed = [argv for argv in site.other.ran if f"--unit={guard}" in argv]
    assert len(armed) == 1
    ended = ("systemctl", "stop", guard)
    assert site.other.ran.index(ended) > site.other.ran.index(armed[0])
