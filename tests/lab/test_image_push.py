"""Images come over the SSH connection, only the layers that a host lacks, on both of Docker's
stores; what is broken is noticed, and leaves no name behind.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import ask, bootstrap, engine_site, network, payload, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Fields, Site, alone
from tests.lab.wall import nothing_goes_out

HOST = "lab-spare"
IMAGE = "site.example/llama-server:2"
PORT = 8179
SMALL = 100 << 10
_LARGE = 40 << 20
SETTINGS = "/etc/docker/daemon.json"
# Layers are mounted over each other, which the host's own disk, made of layers too, does not allow.
OTHER_STORE = f"""
systemctl stop docker.socket docker containerd
mkdir -p /etc/docker /var/lib/docker/lab-containerd /var/lib/containerd
mount --bind /var/lib/docker/lab-containerd /var/lib/containerd
echo '{{"features": {{"containerd-snapshotter": true}}}}' >{SETTINGS}
systemctl start containerd docker.socket docker
"""
USUAL_STORE = f"""
systemctl stop docker.socket docker containerd
umount /var/lib/containerd; rm -r {SETTINGS} /var/lib/docker/lab-containerd
systemctl start containerd docker.socket docker
"""


@pytest.fixture
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, HOST) as found:
        engine_site.place_models(found)
        yield found
        found.sh(f"docker image rm --force {IMAGE} || :")


@pytest.fixture
def containerd(host: LabHost) -> Iterator[LabHost]:
    """The same, whose Docker keeps images as containerd does; new ones do so unless told."""
    if bootstrap.SUITE != "trixie":
        pytest.skip("optional: this Docker has one store; XGEN_LAB_SUITE=trixie has two")
    host.sh(OTHER_STORE)
    yield host
    host.sh(f"docker image rm --force {IMAGE} || :; {USUAL_STORE}")


def test_only_new_layers_come_and_are_served(host: LabHost, tmp_path: Path) -> None:
    site = _site(tmp_path, b"one")
    try:
        _new_layers_alone(site, host)
        # Another build under the same name: the one that runs is not the one of the archive.
        _archive(tmp_path, b"two")
        (push,) = _pushes(site, 2)
        assert push["size_bytes"] < SMALL
        site.apply()
        assert _marker(host) == "two"
        assert site.plan(0).operations(HOST) == []
    finally:
        assert site.run("destroy", "-y").code == 0


def test_layers_go_from_host_to_host(lab: Lab, host: LabHost, tmp_path: Path) -> None:
    """They leave this machine once."""
    before = lab.host("lab-back")
    engine_site.place_models(before)
    layer = random.Random(1).randbytes(_LARGE)
    site = _site(tmp_path, layer)
    site.serve(before.name, "tiny", listen="0.0.0.0")
    for each in (before, host):
        site.hosts[each.name] = {"xgen_site": "one", "xgen_peer_address": each.address}
    try:
        assert f"to {before.name}, then to {host.name}" in site.run("plan").stdout
        sent = network.sent_from_here()
        site.apply()
        assert _LARGE < network.sent_from_here() - sent < 1.2 * _LARGE
        assert all(ask.completion(each, PORT) for each in (before, host))
        assert site.plan(0).json()["fetches"] == []
    finally:
        assert site.run("destroy", "-y").code == 0
        before.sh(f"docker image rm --force {IMAGE}")


def test_containerd_s_store(containerd: LabHost, tmp_path: Path) -> None:
    containerd.sh(f"docker load --quiet --input {places.IMAGE_DIR}/{bootstrap.IMAGE_ARCHIVE}")
    site = _site(tmp_path, b"one")
    try:
        _new_layers_alone(site, containerd)
        assert "127.0.0.1" not in containerd.sh("docker image ls --digests")
    finally:
        assert site.run("destroy", "-y").code == 0


def test_a_bundle_brings_what_is_new(host: LabHost, tmp_path: Path) -> None:
    site, stick, have = _site(tmp_path, b"one"), tmp_path / "site.xgen", tmp_path / "have.json"
    manifest = site.write()
    try:
        _made(site, stick)
        whole = stick.stat().st_size
        (tmp_path / "image.tar").unlink()
        with nothing_goes_out(host):
            words = ("apply", "-y", "--allow-unsigned", "--bundle", str(stick))
            applied = site.run_on(manifest, *words)
            assert applied.code == 0, applied.said
            assert ask.completion(host, PORT)
            assert _marker(host) == "one"
        # Another build: of it a second bundle has what this host has not.
        _archive(tmp_path, b"two")
        assert site.run("models", "--have", str(have)).code == 0
        _made(site, stick, "--have", str(have))
        assert stick.stat().st_size < SMALL < whole
        (tmp_path / "image.tar").unlink()
        further = ("--allow-unsigned", "--bundle", str(stick))
        planned = site.run_on(manifest, "plan", *further)
        assert f"> push    {IMAGE}  1 of 2 layers" in planned.stdout, planned.said
        assert "from site.xgen to" in planned.stdout
        applied = site.run_on(manifest, "apply", "-y", *further)
        assert applied.code == 0, applied.said
        assert _marker(host) == "two"
    finally:
        _archive(tmp_path, b"two")
        assert site.run("destroy", "-y").code == 0


def _made(site: Site, stick: Path, *words: str) -> None:
    outside = replace(site, ssh_config=None)  # it contacts no host
    made = outside.run("bundle create", "-o", str(stick), *words)
    assert made.code == 0, made.said


def _new_layers_alone(site: Site, host: LabHost) -> None:
    (push,) = _pushes(site, 2)
    assert (push["kind"], push["layers_there"]) == ("image", 1)
    assert push["size_bytes"] < SMALL
    said = site.run("plan").stdout
    assert f"> push    {IMAGE}  1 of 2 layers" in said
    site.apply()
    assert ask.completion(host, PORT)
    assert _marker(host) == "one"
    assert "xgen-deploy/incoming" not in host.sh("docker image ls")
    assert host.sh(f"ls /var/lib/xgen-deploy/{site.project}/images") == ""
    assert site.plan(0).operations(HOST) == []


def _pushes(site: Site, code: int) -> list[Fields]:
    found: list[Fields] = site.plan(code).json()["fetches"]
    return found


def _marker(host: LabHost) -> str:
    return host.sh("docker exec xgen-t_push-tiny cat /marker")


def _site(folder: Path, note: bytes) -> Site:
    site = Site(folder, "t_push", "docker", ports=str(PORT))
    _archive(folder, note)
    site.top = {"pull": "push", "images": {"llama": {"image": IMAGE, "archive": "image.tar"}}}
    site.models["tiny"] = engine_site.tiny()
    site.env["XDG_CACHE_HOME"] = str(folder / "cache")
    site.serve(HOST, "tiny", listen="0.0.0.0")
    return site


def _archive(folder: Path, note: bytes) -> None:
    """The lab's own image with one more layer, as `docker save` would write it."""
    base = bootstrap.image_dir(payload.engine_dir()) / bootstrap.IMAGE_ARCHIVE
    layer = _layer(note)
    with tarfile.open(base) as old, tarfile.open(folder / "image.tar", "w") as new:
        (saved,) = json.load(_file(old, "manifest.json"))
        config = json.load(_file(old, saved["Config"]))
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(layer).hexdigest()}")
        config["history"].append({"comment": "a marker"})
        member = old.getmember("layer.tar")
        new.addfile(member, _file(old, "layer.tar"))
        manifest = {"Config": "c.json", "RepoTags": [IMAGE], "Layers": ["layer.tar", "n/layer.tar"]}
        for name, content in (
            ("n/layer.tar", layer),
            ("c.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps([manifest]).encode()),
        ):
            _add(new, name, content)


def _layer(note: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        _add(tar, "marker", note)
    return stream.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _file(tar: tarfile.TarFile, name: str) -> io.BufferedReader:
    file = tar.extractfile(name)
    assert file is not None
    return file  # type: ignore[return-value]
