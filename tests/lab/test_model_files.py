"""Model files that are where a real site has them: behind links, and on late file systems."""

from __future__ import annotations

import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab import engine_site, network, payload, tiny_model
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.process import wait_until
from tests.lab.site import Site, alone

HOST = "lab-spare"
LINKS, DATA = "/srv/tf-links", "/srv/tf-data"
DISK, LATE = "/srv/tf-disk", "/srv/tf-late"
MOUNT = r"srv-tf\x2dlate.mount"
# Without systemd's own dependencies: local-fs.target would wait for the mount, the slow service for
# that target, and of such a circle systemd leaves out one job or another.
SLOW = f"""[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sleep 8
ExecStart=/usr/bin/test -d {DISK}
"""
BIND = f"""[Unit]
DefaultDependencies=no
Requires=tf-slow.service
After=tf-slow.service
[Mount]
What={DISK}
Where={LATE}
Type=none
Options=bind
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        found.sh(f"mkdir -p {LINKS} {DATA}/llm; cp {engine_site.TINY} {DATA}/llm/tiny.gguf")
        yield found
        found.sh(f"rm -r {LINKS} {DATA}")


def test_a_container_has_what_links_lead_to(host: LabHost, tmp_path: Path) -> None:
    """A link to a link in another folder, whose folder is one too."""
    model = f"{LINKS}/releases/current.gguf"
    host.sh(
        f"mkdir -p {LINKS}/releases {DATA}/by-date; ln -s {DATA}/llm {DATA}/latest;"
        f" ln -s ../latest/tiny.gguf {DATA}/by-date/today.gguf;"
        f" ln -s {DATA}/by-date/today.gguf {model}; ln -s {DATA}/none.gguf {LINKS}/gone.gguf"
    )
    site = Site(tmp_path, "tf_links", "docker", ports="8174-8175")
    site.models["linked"] = engine_site.tiny(source=model)
    site.serve(HOST, "linked")
    try:
        site.apply()
        assert site.plan(0).operations(HOST) == []
        site.models["gone"] = engine_site.tiny(source=f"{LINKS}/gone.gguf")
        site.serve(HOST, "gone")
        said = site.plan(1).refusals(HOST)
        assert f"{LINKS}/gone.gguf: is a link to {DATA}/none.gguf, which is not there" in said
    finally:
        assert site.run("destroy", "-y").code == 0


@pytest.fixture
def late(host: LabHost) -> Iterator[str]:
    """A model on a file system that takes long to come at boot, and that nothing else waits for."""
    host.sh(f"mkdir -p {DISK} {LATE}; cp {engine_site.TINY} {DISK}/tiny.gguf")
    units = "/etc/systemd/system"
    host.run(["sh", "-c", f"cat > {units}/tf-slow.service"], stdin=SLOW)
    host.run(["sh", "-c", f"cat > '{units}/{MOUNT}'"], stdin=BIND)
    host.sh(f"systemctl daemon-reload; systemctl start '{MOUNT}'")
    yield f"{LATE}/tiny.gguf"
    host.sh(
        f"systemctl stop '{MOUNT}' tf-slow.service; rm '{units}/{MOUNT}' {units}/tf-slow.service;"
        f" systemctl daemon-reload; rm -r {DISK} {LATE}"
    )


def test_models_on_a_file_system_that_is_mounted_late(
    host: LabHost, late: str, tmp_path: Path
) -> None:
    sites = [
        Site(tmp_path / runtime, f"tf_{runtime}", runtime, ports=port)
        for runtime, port in (("systemd", "8176"), ("docker", "8177"))
    ]
    for site in sites:
        site.folder.mkdir()
        site.models["late"] = engine_site.tiny(source=late)
        site.serve(HOST, "late")
    try:
        for site in sites:
            site.apply()
        host.reboot()
        _all_serve_at_the_first_start(host, sites)
        _a_mount_that_fails_once(host, sites)
        _all_serve_at_the_first_start(host, sites)
    finally:
        for site in sites:
            assert site.run("destroy", "-y").code == 0


def _unit(site: Site) -> str:
    return f"xgen-{site.project}-late.service"


def _all_serve_at_the_first_start(host: LabHost, sites: list[Site]) -> None:
    for site in sites:
        host.sh(f"until curl -sf http://127.0.0.1:{site.ports}/health; do sleep 0.2; done")
        assert host.sh(f"systemctl show -P NRestarts {_unit(site)}") == "0"


def _a_mount_that_fails_once(host: LabHost, sites: list[Site]) -> None:
    """Starts have failed for good with it, were it required; they wait, and it is mounted then."""
    units = " ".join(_unit(site) for site in sites)
    host.sh(
        f"systemctl stop {units}; systemctl stop '{MOUNT}' tf-slow.service; mv {DISK} {DISK}.away;"
        f" systemctl start --no-block {units};"
        f" for u in {units}; do until [ $(systemctl show -P SubState $u) = start-pre ];"
        f" do sleep 0.1; done; done; systemctl is-failed tf-slow.service"
    )
    row = engine_site.status(sites[0])
    assert (row["status"], row["reason"]) == (
        "loading",
        "its start waits for its GPU and its files",
    )
    host.sh(f"mv {DISK}.away {DISK}; systemctl start '{MOUNT}'")


def test_an_engine_build_comes_in_an_archive(host: LabHost, tmp_path: Path) -> None:
    """To a user without rights, by way of a login that is none either."""
    archive = tmp_path / "llama-b1.tar.gz"
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        tar.add(payload.engine_dir(), "llama-b1")
    site = Site(tmp_path, "tf_build", ports="8176-8177")
    site.top["binaries"] = {"llama": {"archive": archive.name, "path": "llama-b1/llama-server"}}
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.models["tiny"] = engine_site.tiny()
    site.serve(HOST, "tiny")
    assert "mounted read-only" in site.plan(1).refusals(HOST)  # as the lab's folder of models is
    site.hosts[HOST]["xgen_model_dir"] = "/srv/tf-builds"
    try:
        site.apply()
        assert site.plan(0).operations(HOST) == []
        (build,) = host.sh("ls -d /srv/tf-builds/xgen/engines/*/build").split()
        assert f"{build}/llama-b1/llama-server" in host.sh("systemctl cat xgen-tf_build-tiny")
        assert not host.sh("pgrep -f trial[.]gguf || true")
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh("rm -rf /srv/tf-builds")


def test_a_fetch_goes_on_without_a_connection(host: LabHost, tmp_path: Path) -> None:
    """SSH has ended, and with it whatever the login left behind."""
    tiny_model.write(tmp_path / "tiny.gguf")
    content = (tmp_path / "tiny.gguf").read_bytes() + bytes(24 << 20)
    going = threading.Event()

    def held_up(path: str, start: int) -> None:
        if start > len(content) // 2:
            going.wait(120)

    repositories = {"some/tiny": Repository({"tiny.gguf": content})}
    hub = FakeHub(repositories, before=held_up, address=network.address_here())
    site = Site(tmp_path, "tf_alone", "docker", ports="8174-8175")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.models["tiny"] = engine_site.tiny(source="some/tiny:tiny.gguf")
    site.serve(HOST, "tiny")
    site.hosts[HOST] = {"xgen_model_dir": DISK}
    with serving(hub):
        site.top["fetch"] = {"endpoint": hub.url}
        try:
            begun = site.run("fetch", "--detach")
            assert begun.code == 0, begun.said
            wait_until(
                lambda: not host.run(["pgrep", "-f", "sshd: .*@"], check=False).stdout,
                "all logins to end",
                60,
            )
            assert "fetching some/tiny:tiny.gguf" in site.run("status").stdout
            going.set()
            waited = site.run("fetch", "--wait")
            assert waited.code == 0, waited.said
            assert site.plan(2).json()["fetches"] == []
        finally:
            going.set()
            assert site.run("destroy", "-y").code == 0
            host.sh(f"rm -rf {DISK}")
