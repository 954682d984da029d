"""The file systems that hosts and the container image start from, by mmdebstrap."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from tests.lab import cache, docker_archive, places
from tests.lab.process import run

# Debian 12, or with XGEN_LAB_SUITE=trixie Debian 13, whose Docker, systemd and Python are newer.
SUITE = os.environ.get("XGEN_LAB_SUITE", "bookworm")
IMAGE_ARCHIVE = "llama-server.tar"

_HOST_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "iproute2",
    "iptables",
    "docker.io",
    *(("docker-cli",) if SUITE == "trixie" else ()),  # a package of its own since Debian 13
    "curl",
    "ca-certificates",
    "sudo",
    "mesa-vulkan-drivers",
    "procps",
    "libgomp1",
    "haproxy",
)
_IMAGE_PACKAGES = ("libgomp1", "ca-certificates", "curl", "mesa-vulkan-drivers")

# Nobody reads these in a lab, and they are a tenth of it.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/man/*")

# Keys and the machine's number are a host's own: they are made for each host.
_HOST_HOOKS = (
    'chroot "$1" systemctl disable haproxy.service',
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'chroot "$1" systemctl enable systemd-networkd.service',
    'chroot "$1" useradd --create-home --shell /bin/bash deploy',
    'chroot "$1" useradd --create-home --shell /bin/bash --groups sudo askpass',
    'chroot "$1" useradd --create-home --shell /bin/bash banner',
    f'echo askpass:{places.ASKPASS_PASSWORD} | chroot "$1" chpasswd',
)


def host_base() -> Path:
    """The root file system under every host; never written to."""
    recipe = json.dumps([SUITE, _LEFT_OUT, _HOST_PACKAGES, _HOST_HOOKS])
    place = cache.built(
        "host", recipe, lambda draft: _mmdebstrap(_HOST_PACKAGES, draft / "root", _HOST_HOOKS)
    )
    return place / "root"


def image_dir(engine: Path) -> Path:
    """A directory with the engine's image: a small Debian and the engine in one layer."""
    hooks = (
        f'mkdir -p "$1"{places.ENGINE_DIR}',
        f'cp -a {shlex.quote(str(engine))}/. "$1"{places.ENGINE_DIR}/',
    )
    entrypoint = [places.ENGINE]

    def build(draft: Path) -> None:
        layer = draft / "layer.tar"
        _mmdebstrap(_IMAGE_PACKAGES, layer, hooks)
        docker_archive.write(layer, draft / IMAGE_ARCHIVE, places.IMAGE, entrypoint)
        layer.unlink()

    # The engine's own directory is named by its version.
    parts = [SUITE, _LEFT_OUT, _IMAGE_PACKAGES, engine.parent.name, places.IMAGE, entrypoint]
    return cache.built("image", json.dumps(parts), build)


def _mmdebstrap(packages: tuple[str, ...], target: Path, hooks: tuple[str, ...]) -> None:
    sources = _sources()
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(packages)}",
            *(f"--dpkgopt=path-exclude={path}" for path in _LEFT_OUT),
            *(f"--aptopt={line}" for line in _proxies()),
            *(f"--customize-hook={hook}" for hook in hooks),
            SUITE,
            str(target),
            *(["-"] if sources else []),
        ],
        stdin=sources,
        timeout=1800,
    )


def _sources() -> str | None:
    """The machine's own Debian sources for the suite; None leaves the choice to mmdebstrap."""
    listed = run(
        [
            "apt-get",
            "indextargets",
            "--format",
            "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
            "Origin: Debian",
        ],
        check=False,
    ).stdout
    lines = [
        line
        for line in dict.fromkeys(listed.splitlines())
        if line.split()[2] in {SUITE, f"{SUITE}-updates", f"{SUITE}-security"}
    ]
    # Updates alone do not make a system.
    return "\n".join(lines) + "\n" if any(line.split()[2] == SUITE for line in lines) else None


def _proxies() -> list[str]:
    """How the machine reaches its archive; apt's dump prints lines in its own syntax."""
    dump = run(["apt-config", "dump"], check=False).stdout
    return [line for line in dump.splitlines() if "::Proxy" in line or "::Verify-" in line]
