"""A host without a way out and without names."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.host import LabHost

_TRY = "import socket; socket.create_connection(('192.0.2.1', 443), 2)"


@contextmanager
def nothing_goes_out(host: LabHost) -> Iterator[None]:
    """What is sent anywhere but to the lab's network vanishes, names are asked for there too, and
    all of it is counted: at the end nothing may have been sent."""
    host.sh(
        "ip link add wall type veth peer name beyond;"
        " echo 1 > /proc/sys/net/ipv6/conf/wall/disable_ipv6;"
        " echo 1 > /proc/sys/net/ipv6/conf/beyond/disable_ipv6;"
        " ip link set wall up; ip link set beyond up; ip route replace default dev wall;"
        " cp -L /etc/resolv.conf /run/kept-resolv.conf;"
        " echo nameserver 192.0.2.53 > /etc/resolv.conf"
    )
    try:
        before = _tries(host)
        yield
        assert _tries(host) == before, f"something on {host.name} tried to reach out"
        host.run(["python3", "-c", _TRY], check=False)
        assert _tries(host) > before, "the counter counts"
    finally:
        host.sh("ip link delete wall; cat /run/kept-resolv.conf > /etc/resolv.conf")


def _tries(host: LabHost) -> int:
    """Packets that anything in the host's network namespace sent out, ARP for them among these."""
    return int(host.sh("cat /sys/class/net/wall/statistics/tx_packets"))
