"""Docker as sites have it: under another unit's name, with users of its own for containers, without
their logs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ask, engine_site, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, alone

HOST = "lab-spare"
UNIT = "lab-dockerd.service"
SAVED = "/srv/lab-image.tar"
SETTINGS = "/etc/docker/daemon.json"
# Its socket is the daemon's own here, and not systemd's.
OTHER_UNIT = f"""
docker save {places.IMAGE} >{SAVED}
systemctl cat docker.service >/etc/systemd/system/{UNIT}
sed -i '/^#/d; s/docker.socket//g; s,fd://,unix:///run/docker.sock,' /etc/systemd/system/{UNIT}
systemctl disable --now --quiet docker.socket docker.service
mkdir -p {SETTINGS.rpartition("/")[0]}
echo '{{"userns-remap": "default", "log-driver": "none"}}' >{SETTINGS}
systemctl daemon-reload
systemctl enable --now --quiet {UNIT}
docker load --quiet <{SAVED}
"""
USUAL_UNIT = f"""
systemctl disable --now --quiet {UNIT}
rm -rf /etc/systemd/system/{UNIT} {SETTINGS} {SAVED} /var/lib/docker/*.*
systemctl daemon-reload
systemctl enable --now --quiet docker.socket docker.service
"""


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.sh(OTHER_UNIT)
        yield found
        found.sh(USUAL_UNIT)


def test_the_daemon_s_own_unit_and_users(host: LabHost, tmp_path: Path) -> None:
    site = Site(tmp_path, "t_daemon", "docker", ports="8177")
    site.models["gemma"] = engine_site.tiny(api_key={"env": "LAB_KEY"}, env={"NAME": "value"})
    site.env["LAB_KEY"] = "sk-lab"
    site.serve(HOST, listen=host.address)
    unit = "xgen-t_daemon-gemma.service"
    try:
        site.apply()
        inspect = "docker inspect -f '{{.HostConfig.UsernsMode}}' xgen-t_daemon-gemma"
        assert host.sh(inspect) == "host"
        assert UNIT in host.sh(f"systemctl show -P Requires {unit}").split()
        assert engine_site.differences(site) == []
        assert site.plan(0).operations(HOST) == []
        host.sh(f"systemctl restart {UNIT}")
        host.sh(f"until curl -sf http://{host.address}:8177/health; do sleep 0.2; done")
        assert ask.completion(host, 8177, key="sk-lab")
    finally:
        assert site.run("destroy", "-y").code == 0
