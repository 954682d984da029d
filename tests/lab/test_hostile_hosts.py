"""A host that lies: containers that only say that they are ours, a login that never stops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site

HOST = "lab-b"
COPIES = ("th-copy", "th-label", "th-own-folder")
VICTIM = "/srv/th-victim"


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    found = lab.host(HOST)
    engine_site.place_models(found)
    yield found
    found.sh(f"docker rm -f {' '.join(COPIES)} >/dev/null 2>&1; rm -rf {VICTIM}; true")
    found.sh("docker rmi -f th-copy:1 >/dev/null 2>&1; userdel -rf flood 2>/dev/null; true")


def test_what_only_says_that_it_is_ours_is_left_alone(host: LabHost, tmp_path: Path) -> None:
    site = Site(tmp_path, "th_mine", runtime="docker", ports="8181-8189")
    site.serve(HOST)
    site.apply()
    try:
        labels = "--label xgen.project=th_mine --label xgen.instance"
        still = f"--entrypoint sleep {places.IMAGE} 600"
        host.sh(
            f"mkdir -p {VICTIM}; docker commit xgen-th_mine-gemma th-copy:1 >/dev/null; "
            "docker run -d --name th-copy --entrypoint sleep th-copy:1 600; "
            f"docker run -d --name th-label {labels}=../../../srv/th-victim {still}; "
            f"docker run -d --name th-own-folder {labels}=.. {still}"
        )
        plan = site.plan(0).json()["hosts"][HOST]
        for name in COPIES:
            assert any(
                f"container {name} has this project's label" in w for w in plan["warnings"]
            ), plan
        site.apply()
    finally:
        assert site.run("destroy", "-y").code == 0
    running = host.sh("docker ps --format '{{.Names}}'").split()
    assert set(COPIES) <= set(running)
    assert "xgen-th_mine-gemma" not in running
    host.sh(f"test -d {VICTIM}")


def test_a_login_shell_that_prints_zeros_is_that_hosts_error(host: LabHost, tmp_path: Path) -> None:
    host.sh(
        "printf '#!/bin/sh\\nexec cat /dev/zero\\n' > /usr/local/bin/th-flood; "
        "chmod 755 /usr/local/bin/th-flood; id flood >/dev/null 2>&1 || "
        "useradd -m -s /usr/local/bin/th-flood flood; "
        "cp -r /home/deploy/.ssh /home/flood/; chown -R flood: /home/flood/.ssh"
    )
    hosts = {
        "flood": {"ansible_host": host.address, "ansible_user": "flood"},
        HOST: {},
    }
    site = Site(tmp_path, "th_flood", hosts=hosts)
    site.serve(HOST)
    site.serve("flood", name="other")
    said = site.run("plan", "--json").json()["hosts"]
    assert said["flood"]["reachable"] is False
    assert "it printed more than" in said["flood"]["error"]
    assert said[HOST]["reachable"] is True
    logs = site.run("logs", "other")
    assert logs.code == 4
    assert "flood: it printed more than 1 MiB" in logs.said
