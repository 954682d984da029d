"""What a login may not do on a host is told by the plan, before anything is locked or written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apply.conftest import GATEWAY, MakeSite
from tests.fake_host.host import FakeHost
from tests.fake_host.site import FakeSite

DEPLOY = {"user": "deploy", "uid": 1000}
NOT_ALLOWED = "/usr/bin/true: Permission denied"


def closed(path: str, why: str, at: str = "") -> dict[str, Any]:
    return {"unwritable": [{"path": path, "at": at or path, "why": why}]}


CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "not root": (
        DEPLOY,
        "refused  h: deploy is not root there; an apply needs root for units in "
        "/etc/systemd/system, settings and secrets in /etc/xgen-deploy/p and the record in "
        "/var/lib/xgen-deploy/p, and the group docker does not give that",
        "take `ansible_become: false` out of the inventory",
    ),
    "not root, and not in the group docker": (
        {**DEPLOY, "docker": {"state": "denied"}},
        "refused  h: deploy is not root there",
        "Let deploy use sudo",
    ),
    "not root, where something was applied": (
        {**DEPLOY, "record": None, "record_error": "Permission denied"},
        "refused  h: deploy is not root there",
        "Let deploy use sudo",
    ),
    "no program": (
        {"exec_error": NOT_ALLOWED, "errors": {"services": "systemctl: Permission denied"}},
        f"refused  h: no program can be started there: {NOT_ALLOWED}",
        "Under sudo that is its `noexec` or `intercept`",
    ),
    "read-only": (
        closed("/etc/systemd/system", "read-only"),
        "refused  h: /etc/systemd/system is on a file system that is mounted read-only",
        "Mount it for writing",
    ),
    "read-only behind a link": (
        closed("/etc/systemd/system", "read-only", "/nix/store/x-etc/systemd/system"),
        "/etc/systemd/system (/nix/store/x-etc/systemd/system) is on a file system",
        "NixOS",
    ),
    "immutable": (
        closed("/etc/xgen-deploy/p", "immutable", "/etc"),
        "refused  h: /etc/xgen-deploy/p (/etc) is immutable",
        "`chattr -i /etc` there",
    ),
    "denied": (
        closed("/var/lib/xgen-deploy/p", "denied", "/var/lib"),
        "refused  h: root may not write to /var/lib/xgen-deploy/p (/var/lib)",
        "what confines root (SELinux, a container, root_squash of NFS)",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_plan_says_what_to_allow(make_site: MakeSite, case: str) -> None:
    told, reason, way_out = CASES[case]
    become = {"inventory": {"all": {"hosts": {"h": {"ansible_become": False}}}}}
    runtime = {"runtime": "docker", "images": {"llama": "l"}} if "docker" in told else {}
    site = make_site(**(become if "uid" in told else {}), **runtime)
    site.hosts["h"].machine = told
    for words in (("plan",), ("apply", "-y")):
        ran = site.run(*words)
        assert ran.code == 1
        shown = " ".join(ran.said.split())
        assert " ".join(reason.split()) in shown
        assert way_out in shown
        assert ran.said.count("refused  h") == 1
    assert changed(site.hosts["h"]) == []


def test_sudo_to_another_user_than_root_is_told_as_that(site: FakeSite) -> None:
    site.hosts["h"].machine = {"user": "admin", "uid": 1001}
    assert "Have sudo run commands as root there (`runas_default` names admin now)" in (
        site.run("plan").said
    )


@pytest.mark.parametrize("command", ["destroy", "stop", "restart"])
def test_every_change_is_refused(site: FakeSite, command: str) -> None:
    site.apply()
    site.hosts["h"].machine = closed("/etc/systemd/system", "read-only")
    assert site.run("plan").code == 0, "what stays as it is needs no writing"
    site.forget()
    ran = site.run(command, "-y")
    assert ran.code == 1
    assert "is on a file system that is mounted read-only" in ran.said
    assert changed(site.hosts["h"]) == []
    site.hosts["h"].machine = {"exec_error": NOT_ALLOWED}
    assert f"no program can be started there: {NOT_ALLOWED}" in site.run(command, "-y").said


def test_the_host_of_a_gateway_alone(make_site: MakeSite) -> None:
    site = make_site({"g": "cpu", "h": "cpu"}, gateway=GATEWAY)
    site.hosts["g"].machine = closed("/etc/systemd/system", "read-only")
    assert "refused  g: /etc/systemd/system is on a file system" in site.run("plan").said
    site.hosts["g"].machine = DEPLOY
    assert "refused  g: deploy is not root there" in site.run("plan").said


def test_the_other_hosts_go_on(make_site: MakeSite) -> None:
    site = make_site(
        {"h": "cpu", "i": "cpu"}, hosts={n: [{"model": "q", "gpus": []}] for n in "hi"}
    )
    site.hosts["h"].machine = closed("/etc/systemd/system", "read-only")
    assert site.run("apply", "-y", "--skip-refused").code == 1
    assert site.run("plan", "--limit", "i", "--detailed-exitcode").code == 0
    assert changed(site.hosts["h"]) == []


def changed(host: FakeHost) -> list[str]:
    return [call for call in host.calls if call.startswith(("write", "mkdir", "remove", "lock"))]
