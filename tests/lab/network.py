"""The bridge that the hosts are plugged into."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.lab import places
from tests.lab.process import run

_OUTSIDE = 1  # the number of this machine's end


def up() -> None:
    bridge = places.bridge()
    if not _exists(bridge):
        run(["ip", "link", "add", bridge, "type", "bridge"])
        run(["ip", "address", "add", f"{places.network()}.{_OUTSIDE}/24", "dev", bridge])
        run(["ip", "link", "set", bridge, "up"])
    # A Docker daemon on this machine drops what is forwarded, bridged packets included.
    if shutil.which("iptables") and run(["iptables", "-C", *_rule()], check=False).returncode:
        run(["iptables", "-I", *_rule()], check=False)


def down() -> None:
    if shutil.which("iptables"):
        while run(["iptables", "-D", *_rule()], check=False).returncode == 0:
            pass
    if _exists(places.bridge()):
        run(["ip", "link", "delete", places.bridge()])


def _rule() -> list[str]:
    return ["FORWARD", "-i", places.bridge(), "-o", places.bridge(), "-j", "ACCEPT"]


def address_here() -> str:
    """Where hosts reach this machine."""
    return f"{places.network()}.{_OUTSIDE}"


def sent_from_here() -> int:
    """Bytes that this machine sent to hosts; what they send each other is not in it."""
    return int(Path("/sys/class/net", places.bridge(), "statistics/tx_bytes").read_text())


def set_cable(interface: str, *, plugged: bool) -> None:
    run(["ip", "link", "set", interface, "up" if plugged else "down"])


def remove_cable(interface: str) -> None:
    """A killed host can leave its outer end behind for a moment; the name must be free."""
    if _exists(interface):
        run(["ip", "link", "delete", interface], check=False)


def _exists(interface: str) -> bool:
    return Path("/sys/class/net", interface).exists()
