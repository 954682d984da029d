"""The bridge that the hosts are plugged into."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import places
from tests.lab.process import run

_RULE = ("FORWARD", "-i", places.BRIDGE, "-o", places.BRIDGE, "-j", "ACCEPT")


def up() -> None:
    if not _exists(places.BRIDGE):
        run(["ip", "link", "add", places.BRIDGE, "type", "bridge"])
        run(["ip", "address", "add", f"{places.GATEWAY}/24", "dev", places.BRIDGE])
        run(["ip", "link", "set", places.BRIDGE, "up"])
    # A Docker daemon on this machine drops what is forwarded, bridged packets included.
    if shutil.which("iptables") and run(["iptables", "-C", *_RULE], check=False).returncode:
        run(["iptables", "-I", *_RULE], check=False)


def down() -> None:
    if shutil.which("iptables"):
        while run(["iptables", "-D", *_RULE], check=False).returncode == 0:
            pass
    if _exists(places.BRIDGE):
        run(["ip", "link", "delete", places.BRIDGE])


def set_cable(interface: str, *, plugged: bool) -> None:
    run(["ip", "link", "set", interface, "up" if plugged else "down"])


def remove_cable(interface: str) -> None:
    """A killed host can leave its outer end behind for a moment; the name must be free."""
    if _exists(interface):
        run(["ip", "link", "delete", interface], check=False)


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()
