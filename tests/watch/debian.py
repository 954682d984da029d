"""Prometheus' programs as Debian has them, without installing them: no service is started."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import cache

_PACKAGES = ("prometheus", "prometheus-alertmanager")


def program(name: str) -> str:
    """Skips the test where no archive has it."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip("optional: Prometheus' programs come by apt-get, which is not here")
    try:
        root = cache.built("prometheus", " ".join(_PACKAGES), _build)
    except (subprocess.CalledProcessError, PermissionError):
        pytest.skip("optional: apt-get cannot download prometheus here")
    return str(root / "usr/bin" / name)


def with_share() -> tuple[str, ...]:
    """What a program's words begin with that looks for its package's files in /usr/share."""
    if os.geteuid():
        pytest.skip("optional: only root can show a program another /usr/share")
    share = Path(program("prometheus")).parents[1] / "share"
    mount = f"mount -t overlay overlay -o lowerdir={share}:/usr/share /usr/share"
    return ("unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh")


def _build(draft: Path) -> None:
    # As root apt-get would fetch as a user who may not write there, and says so.
    apt_get = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    download = [*apt_get, "download", *_PACKAGES]
    if subprocess.run(download, cwd=draft, check=False, capture_output=True).returncode:
        # A new machine knows no packages yet.
        subprocess.run([*apt_get, "update"], check=True, capture_output=True)
        subprocess.run(download, cwd=draft, check=True, capture_output=True)
    for archive in draft.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(draft)], check=True)
        archive.unlink()
