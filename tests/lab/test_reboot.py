"""A host that was restarted serves again by itself, in order, but for what was stopped."""

from __future__ import annotations

from pathlib import Path

from tests.lab import engine_site
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, alone

HOST = "lab-spare"
# Names that sort the other way round.
FIRST, SECOND, RESTING = "zebra", "ant", "resting"


def _site(folder: Path, runtime: str, port: int) -> Site:
    """Two that share the software GPU, in this order, and one on the CPU."""
    site = Site(folder, f"t_reboot_{runtime}", runtime, ports=f"{port}-{port + 3}")
    site.hosts[HOST] = {"xgen_software_gpu": True}
    for name in (FIRST, SECOND):
        site.models[name] = engine_site.tiny(llama={"flash_attn": "off"}, n_gpu_layers=1)
        site.serve(HOST, name, gpus=[0])
    site.models[RESTING] = engine_site.tiny()
    site.serve(HOST, RESTING)
    return site


def test_after_a_reboot_all_serves_again_in_order(lab: Lab, tmp_path: Path) -> None:
    with alone(lab, HOST) as host:
        engine_site.place_models(host)
        sites = [
            _site(tmp_path / runtime, runtime, port)
            for runtime, port in (("systemd", 8131), ("docker", 8135))
        ]
        for site in sites:
            site.folder.mkdir()
        try:
            for site in sites:
                site.apply()
                assert site.run("stop", "-y", RESTING).code == 0
            host.reboot()
            for site in sites:
                _all_as_before(site, host)
        finally:
            for site in sites:
                assert site.run("destroy", "-y").code == 0


def _all_as_before(site: Site, host: LabHost) -> None:
    for port in _ports(site):
        host.sh(f"until curl -sf http://127.0.0.1:{port}/health; do sleep 0.2; done")
    assert site.plan(0).operations(HOST) == []
    states = {r["instance"]: r["status"] for r in site.run("status", "--json").json()["models"]}
    assert states == {FIRST: "running", SECOND: "running", RESTING: "stopped"}
    assert site.run("verify").code == 0
    started = [_started(site, host, name) for name in (FIRST, SECOND)]
    assert started == sorted(started)


def _ports(site: Site) -> list[int]:
    rows = site.run("status", "--json").json()["models"]
    return [row["port"] for row in rows if row["instance"] != RESTING]


def _started(site: Site, host: LabHost, name: str) -> int:
    """When systemd began to start it, since boot."""
    unit = f"xgen-{site.project}-{name}.service"
    return int(host.sh(f"systemctl show -P InactiveExitTimestampMonotonic {unit}"))
