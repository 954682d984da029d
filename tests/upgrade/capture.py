"""Writes `sites/`: what 0.1.0 leaves on a host of the lab. `python -m tests.upgrade.capture`.

Only needed to add a case; what is there stays as 0.1.0 made it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.lab import lab
from tests.lab.engine_site import place_models, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site, kill_at_start
from tests.upgrade.released import SITES, unpack

HOST = "lab-upgrade"
# Runs with 0.1.0's code: one look at the host, as its probe tells it.
_LOOK = """
import sys
from xgen_deploy.cli.job import job
from xgen_deploy.cli.options import Settings
settings = Settings(sys.argv[1], None, (), False, False, False, sys.argv[2], False, False)
with job(settings) as work:
    (seen,) = work.observe().values()
print(seen.facts.model_dump_json(exclude_none=True))
"""


def main() -> None:
    (host,) = lab.up([HOST])
    place_models(host)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        old = unpack(folder / "code")
        for make in (_systemd, _docker):
            make(host, folder, old)


def _systemd(host: LabHost, folder: Path, old: dict[str, str]) -> None:
    site = Site(folder, "up_sys", ports="8141-8150", env={**old, "UP_KEY": "sk-upgrade"})
    site.models["plain"] = tiny()
    site.models["keyed"] = tiny(api_key={"env": "UP_KEY"})
    for model, instance in (("plain", "a"), ("keyed", "b"), ("plain", "c")):
        site.serve(host.name, model, name=instance)
    site.top["gateway"] = {"host": host.name, "port": 8095}
    try:
        site.apply()
        site.models["keyed"]["n_ctx"] = 320  # starts first: into the second slot
        site.apply()
        assert site.run("stop", "-y", "c").code == 0
        _keep(site, host, "systemd")
        planned = replace(site, models={**site.models, "keyed": tiny(api_key={"env": "UP_KEY"})})
        assert planned.run("plan", "-o", str(SITES / "systemd/saved.json")).code == 0
        _interrupt(site, host)
        _keep(site, host, "interrupted")
    finally:
        assert site.run("destroy", "-y").code == 0


def _interrupt(site: Site, host: LabHost) -> None:
    """Killed once the old one has stopped; its guard puts that back."""
    site.models["plain"] = tiny(n_ctx=384, update={"strategy": "stop-first"})
    applying = site.start("apply", "-y", "--json")
    kill_at_start(applying)
    host.sh("while ! flock -n /var/lib/xgen-deploy/up_sys/lock true; do sleep 0.2; done")
    host.sh("until systemctl is-active xgen-up_sys-a.service; do sleep 0.2; done")


def _docker(host: LabHost, folder: Path, old: dict[str, str]) -> None:
    site = Site(folder, "up_doc", runtime="docker", ports="8151-8152", env=old)
    site.models["plain"] = tiny()
    site.serve(host.name, "plain", name="a")
    try:
        site.apply()
        _keep(site, host, "docker")
    finally:
        assert site.run("destroy", "-y").code == 0


def _keep(site: Site, host: LabHost, case: str) -> None:
    target = SITES / case
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    state = host.rootfs / "var/lib/xgen-deploy" / site.project
    for name in ("record.json", "heal.json"):
        shutil.copyfile(state / name, target / name)
    shutil.copytree(state / "history", target / "history")
    shutil.copyfile(site.write(), target / "site.yaml")
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK, str(site.manifest), str(site.ssh_config)],
        env=site.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    (target / "facts.json").write_text(looked.stdout)


if __name__ == "__main__":
    main()
