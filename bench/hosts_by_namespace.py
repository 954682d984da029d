"""Hosts that are network namespaces of this machine, each with an sshd and a link of a given speed.
All of them share its processors and disks. Root only.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "xgenbr"
HERE = "10.99.77.254"
_SSHD = "/usr/sbin/sshd"


@dataclass(frozen=True)
class Fleet:
    folder: Path
    ssh_config: Path
    names: list[str]

    def address(self, name: str) -> str:
        return f"10.99.77.{self.names.index(name) + 1}"

    def place(self, name: str) -> Path:
        return self.folder / name


@contextmanager
def fleet(folder: Path, count: int, *, rate: str = "") -> Iterator[Fleet]:
    """`rate` as `tc` has it, such as 160mbit; for each host in each direction, "" for none."""
    names = [f"host{number}" for number in range(1, count + 1)]
    made = Fleet(folder, folder / "ssh_config", names)
    _write_keys(made)
    servers = []
    try:
        _run("ip", "link", "add", BRIDGE, "type", "bridge")
        _run("ip", "address", "add", f"{HERE}/24", "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        for name in names:
            _add_host(made, name, rate)
            servers.append(_sshd(made, name))
        yield made
    finally:
        for server in servers:
            server.terminate()
            server.wait()
        for name in names:
            _remove_host(name)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False)


def _add_host(made: Fleet, name: str, rate: str) -> None:
    space, near, far = f"xgen-{name}", f"xn{name}", f"xf{name}"
    made.place(name).mkdir()
    _run("ip", "netns", "add", space)
    _run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
    _run("ip", "link", "set", near, "master", BRIDGE, "up")
    inside = ["ip", "netns", "exec", space]
    _run(*inside, "ip", "address", "add", f"{made.address(name)}/24", "dev", far)
    _run(*inside, "ip", "link", "set", far, "up")
    _run(*inside, "ip", "link", "set", "lo", "up")
    if rate:
        shape = ["root", "tbf", "rate", rate, "burst", "256kb", "latency", "50ms"]
        _run("tc", "qdisc", "add", "dev", near, *shape)
        _run(*inside, "tc", "qdisc", "add", "dev", far, *shape)


def _remove_host(name: str) -> None:
    """Its end of the link too: a connection that is not closed yet keeps the namespace for long."""
    for kind in (["netns", "del", f"xgen-{name}"], ["link", "del", f"xn{name}"]):
        subprocess.run(["ip", *kind], check=False, stderr=subprocess.DEVNULL)


def _sshd(made: Fleet, name: str) -> "subprocess.Popen[bytes]":
    Path("/run/sshd").mkdir(exist_ok=True)
    options = {
        "ListenAddress": made.address(name),
        "HostKey": made.folder / "host_key",
        "AuthorizedKeysFile": made.folder / "login.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PermitRootLogin": "yes",
        "Subsystem": "sftp internal-sftp",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    argv = ["ip", "netns", "exec", f"xgen-{name}", _SSHD, "-D", "-q", "-f", "/dev/null", *words]
    server = subprocess.Popen(argv)
    wait = f"until ssh -F {made.ssh_config} {name} true 2>/dev/null; do sleep 0.1; done"
    _run("timeout", "20", "sh", "-c", wait)
    return server


def _write_keys(made: Fleet) -> None:
    for key in ("host_key", "login"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(made.folder / key))
    public = (made.folder / "host_key.pub").read_text()
    known = "".join(f"{made.address(name)} {public}" for name in made.names)
    (made.folder / "known_hosts").write_text(known)
    hosts = "".join(f"Host {name}\n  HostName {made.address(name)}\n" for name in made.names)
    made.ssh_config.write_text(
        f"{hosts}Host *\n  User root\n  IdentityFile {made.folder / 'login'}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {made.folder / 'known_hosts'}\n"
        "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking yes\n"
    )
    os.chmod(made.folder, 0o755)  # noqa: PTH101, S103 - what hands files on runs as nobody


def _run(*argv: str) -> None:
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
