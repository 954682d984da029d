"""A login that sudo lets run nothing but the line in docs/security.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.engine_site import place_models, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site, alone
from tests.transport.test_sudoers import documented_rule

LOGIN = "narrow"
_MAKE = f"""
useradd --create-home --shell /bin/bash {LOGIN}
install -d -m 700 -o {LOGIN} ~{LOGIN}/.ssh
install -m 600 -o {LOGIN} ~deploy/.ssh/authorized_keys ~{LOGIN}/.ssh/authorized_keys
install -m 440 /dev/stdin /etc/sudoers.d/{LOGIN}
visudo -cf /etc/sudoers.d/{LOGIN}
"""
_REMOVE = f"rm -f /etc/sudoers.d/{LOGIN}; userdel --remove {LOGIN} 2>/dev/null || true"


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, "lab-upgrade") as found:
        place_models(found)
        found.sh(_REMOVE)
        rule = documented_rule().replace("deploy ", f"{LOGIN} ", 1)
        found.run(["sh", "-ec", _MAKE], stdin=f"{rule}\n")
        yield found
        found.sh(_REMOVE)


UNITS = "/etc/systemd/system"
NARROW = f"""
rm -f /etc/sudoers.d/{LOGIN}
echo '{LOGIN} ALL=(ALL) NOPASSWD: RULE' > /etc/sudoers.d/{LOGIN}
echo 'Defaults:{LOGIN} DEFAULTS' >> /etc/sudoers.d/{LOGIN}
chmod 440 /etc/sudoers.d/{LOGIN}; visudo -cf /etc/sudoers.d/{LOGIN}
"""


def test_what_the_login_may_not_do_is_told_by_the_plan(host: LabHost, tmp_path: Path) -> None:
    """And nothing is changed by an apply: neither by what sudo forbids nor by a file system."""
    site = Site(tmp_path, "up_forbidden", ports="8173")
    site.hosts[host.name] = {"ansible_user": LOGIN}
    site.models["plain"] = tiny()
    site.serve(host.name, "plain")

    def sudoers(rule: str, defaults: str) -> str:
        host.sh(NARROW.replace("RULE", rule).replace("DEFAULTS", defaults))
        done = site.run("apply", "-y")
        assert done.code in (1, 4), done.said
        return done.said

    said = sudoers("/usr/bin/systemctl, /usr/bin/docker", "!lecture")
    assert "docs/security.md" in said, said
    said = sudoers("ALL", "noexec")
    assert "no program can be started there: /usr/bin/true: Permission denied" in said, said
    assert "`noexec`" in said
    said = sudoers("ALL", "runas_default=deploy")
    assert "deploy is not root there; an apply needs root" in said, said
    host.sh(NARROW.replace("RULE", "ALL").replace("DEFAULTS", "!lecture"))
    site.hosts[host.name]["ansible_become"] = False
    assert f"{LOGIN} is not root there; an apply needs root" in site.plan(1).refusals(host.name)
    del site.hosts[host.name]["ansible_become"]
    host.sh(f"mount --bind {UNITS} {UNITS}; mount -o remount,ro,bind {UNITS}")
    try:
        assert f"{UNITS} is on a file system that is mounted read-only" in site.plan(1).refusals(
            host.name
        )
        assert site.run("apply", "-y").code == 1
    finally:
        host.sh(f"umount {UNITS}")
    site.plan(2)
    assert (
        host.sh("ls -A /etc/xgen-deploy /var/lib/xgen-deploy 2>/dev/null | grep forbidden || true")
        == ""
    )


def test_the_narrowest_line_is_enough_and_nothing_else_is_allowed(
    host: LabHost, tmp_path: Path
) -> None:
    assert host.ssh("sudo -n true", user=LOGIN, check=False).returncode != 0
    site = Site(tmp_path, "up_narrow", ports="8171-8172")
    site.hosts[host.name] = {"ansible_user": LOGIN}
    site.models["plain"] = tiny()
    site.serve(host.name, "plain")
    try:
        site.apply()
        site.plan(0)
        assert site.run("logs", "plain").code == 0
        assert site.run("unlock").code == 0
    finally:
        done = site.run("destroy", "-y")
    assert done.code == 0, done.said
