"""Files between real hosts: handed on over the network, in a folder that two of them share, and
past whatever cuts a transfer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import ask, network, payload, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.process import wait_until
from tests.lab.site import Site, alone, small_model

CHUNK = 16 << 20
MODELS = "/srv/handed"
PORT = 8185
# What ssh, TCP and the tool's own programs add to what is sent.
MORE = 1.15


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    with alone(lab, "lab-spare") as found:
        yield found


@pytest.fixture(scope="module")
def gemma() -> Path:
    (model,) = payload.model_dir().glob("*.gguf")
    return model


@pytest.fixture
def site(tmp_path: Path, gemma: Path) -> Site:
    """A model of this machine, 16 chunks of it."""
    made = Site(tmp_path, "t_handed", ports=str(PORT))
    made.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    made.models["gemma"] = small_model(source={"local": str(gemma)})
    return made


def _serve(site: Site, host: LabHost, models: str = MODELS, **variables: str) -> None:
    site.serve(host.name, listen="0.0.0.0")
    site.hosts[host.name] = {
        "xgen_model_dir": models,
        "xgen_peer_address": host.address,
        **variables,
    }


def test_the_second_host_has_it_from_the_first(lab: Lab, host: LabHost, site: Site) -> None:
    """It leaves this machine once."""
    hosts = [lab.host("lab-back"), host]
    for each in hosts:
        _serve(site, each, xgen_site="one")
    said = site.run("plan").stdout
    assert "from this machine to lab-back, then to lab-spare" in said, said
    size, before = _size(site), network.sent_from_here()
    try:
        site.apply()
        assert size < network.sent_from_here() - before < size * MORE
        assert all(ask.completion(each, PORT) for each in hosts)
        assert "8099" not in hosts[0].sh("ss -Htln")
        assert site.plan(0).json()["fetches"] == []
    finally:
        assert site.run("destroy", "-y").code == 0
        for each in hosts:
            each.sh(f"rm -rf {MODELS}")


def test_two_hosts_over_one_folder_bring_it_once(lab: Lab, host: LabHost, site: Site) -> None:
    """Which neither of them knows."""
    hosts, folder = [lab.host("lab-back"), host], f"{places.SHARED}/models"
    for each in hosts:
        _serve(site, each, folder)
    size, before = _size(site), network.sent_from_here()
    try:
        site.apply()
        assert network.sent_from_here() - before < size * MORE
        assert all(ask.completion(each, PORT) for each in hosts)
        assert site.plan(0).json()["fetches"] == []
        assert host.sh(f"find {folder} -name '*.xgen-part*'") == ""
        # Each sees what the other needs.
        pruned = site.run("models prune", "-y", "--limit", host.name)
        assert pruned.code == 0, pruned.said
        assert ask.completion(hosts[0], PORT)
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh(f"rm -rf {folder}")


def test_what_is_served_stays_in_memory(
    host: LabHost, site: Site, gemma: Path, tmp_path: Path
) -> None:
    """And a file that comes meanwhile leaves little there: the kernel drops no page that it is just
    writing."""
    other = tmp_path / "other.gguf"
    other.write_bytes(gemma.read_bytes() + bytes(32))
    _serve(site, host)
    site.ports = f"{PORT}-{PORT + 1}"
    try:
        site.apply()
        assert ask.completion(host, PORT)
        (weights,) = _brought(host)
        before = _in_memory(weights)
        assert before > 0.9 * gemma.stat().st_size
        site.models["other"] = small_model(source={"local": str(other)})
        site.serve(host.name, "other")
        assert site.run("fetch").code == 0
        assert _in_memory(weights) >= 0.99 * before
        (coming,) = (path for path in _brought(host) if path != weights)
        assert _in_memory(coming) < 0.1 * other.stat().st_size
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh(f"rm -rf {MODELS}")


def _brought(host: LabHost) -> list[Path]:
    return list((host.rootfs / MODELS.lstrip("/")).rglob("*.gguf"))


def _in_memory(path: Path) -> int:
    """Bytes of it in the page cache."""
    argv = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def _link_down(host: LabHost, fetching: subprocess.Popen[str]) -> None:
    """For longer than either side waits."""
    host.unplug()
    try:
        said, _ = fetching.communicate(timeout=120)
        assert (fetching.returncode, "the connection was lost" in said) == (4, True), said
        _alone_there(host)
    finally:
        host.plug()


def _power_cut(host: LabHost, fetching: subprocess.Popen[str]) -> None:
    host.power_cut()
    said, _ = fetching.communicate(timeout=120)
    assert (fetching.returncode, "the connection was lost" in said) == (4, True), said


def _killed(host: LabHost, fetching: subprocess.Popen[str]) -> None:
    """The operator's machine is gone without a word."""
    os.killpg(fetching.pid, signal.SIGKILL)
    fetching.communicate()
    _alone_there(host)


def _alone_there(host: LabHost) -> None:
    """Nothing of the tool runs on the host."""
    wait_until(
        lambda: not host.run(["pgrep", "-f", "XGEN-PRO[B]E"], check=False).stdout,
        f"the transfer on {host.name} to end",
        60,
    )


@pytest.mark.parametrize("cut", [_link_down, _power_cut, _killed])
def test_what_is_cut_goes_on_at_the_next_apply(
    host: LabHost, site: Site, cut: Callable[[LabHost, subprocess.Popen[str]], None]
) -> None:
    _serve(site, host)
    size = _size(site)
    site.tool = (sys.executable, "-m", "tests.lab.impatient")
    try:
        fetching = site.start("fetch", "--limit-rate", "40M")
        wait_until(lambda: _noted(host) >= 4, "four chunks", 120)
        cut(host, fetching)
        noted, before = _noted(host), network.sent_from_here()
        assert 4 <= noted < size // CHUNK
        site.apply()
        assert network.sent_from_here() - before < (size - noted * CHUNK) * MORE
        assert ask.completion(host, PORT)
        assert host.sh(f"find {MODELS} -name '*.xgen-part*'") == ""
    finally:
        assert site.run("destroy", "-y").code == 0
        host.sh(f"rm -rf {MODELS}")


def _noted(host: LabHost) -> int:
    """Chunks that are safely on the host's disk."""
    lines = host.sh(f"cat $(find {MODELS} -name '*.xgen-part.chunks') /dev/null || :").splitlines()
    return sum("chunk" in json.loads(line) for line in lines if line.endswith("}"))


def _size(site: Site) -> int:
    """What the plan says is brought to a host."""
    (fetch, *_) = site.plan(2).json()["fetches"]
    return int(fetch["size_bytes"])
