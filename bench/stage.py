"""The hosts of the benchmark and the files that are written for it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.link import Link
from tests.lab import access, lab, places
from tests.lab.spec import CATALOGUE

HOST = "lab-fleet"
PROJECT, MODEL = "bench", "gemma"
INSTANCE = f"xgen-{PROJECT}-{MODEL}"
PLACE = "/srv/bench"
MOST = 200  # names
# Each name has a machine ID of its own, as real hosts have: one machine under two names is refused.
AS_A_MACHINE = """#!/bin/sh
exec unshare --mount sh -c '
mount --bind "$0.id" /etc/machine-id && exec /usr/bin/python3 "$@"' "$0" "$@"
"""


@dataclass(frozen=True)
class Stage:
    """One lab host with many addresses: it plays as many hosts, which share its record."""

    folder: Path
    ssh_config: Path
    known_hosts: Path

    @property
    def program(self) -> str:
        return str(Path(sys.executable).with_name("xgen-deploy"))

    @property
    def compiled(self) -> dict[str, str]:
        """So that a checkout's modules are compiled once, as an installed package's are."""
        folder = str(self.folder / "compiled")
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder}

    def names(self, count: int) -> list[str]:
        return [f"{HOST}-{number:02}" for number in range(1, count + 1)]

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path

    def manifest(self, names: list[str]) -> Path:
        """The same instance on each of `names`."""
        hosts = "".join(
            f"      {name}: {{ansible_python_interpreter: {PLACE}/{name}}}\n" for name in names
        )
        placed = "".join(f"  {name}: [{{model: {MODEL}}}]\n" for name in names)
        return self.write(
            f"manifest-{len(names)}.yaml",
            f"project: {PROJECT}\nruntime: docker\npull: never\n"
            f"images: {{llama: {places.IMAGE!r}}}\n"
            f"models: {{{MODEL}: {{source: {places.MODEL}, n_ctx: 2048}}}}\n"
            f"inventory:\n  all:\n    hosts:\n{hosts}hosts:\n{placed}",
        )

    def deploy(self) -> None:
        """Bring the instance up, through the first name. Raises CalledProcessError."""
        install_machines(self.names(MOST))
        manifest = self.manifest(self.names(1))
        argv = [self.program, "apply", str(manifest), "--ssh-config", str(self.ssh_config), "-y"]
        subprocess.run(argv, check=True, stdout=sys.stderr)


def install_machines(names: list[str]) -> None:
    """The Python of each name on the host."""
    host = lab.up([HOST])[0]
    host.run(["mkdir", "-p", PLACE])
    for number, name in enumerate(names, 1):
        file = f"{PLACE}/{name}"
        make = f"cat > {file}; chmod 755 {file}; printf '%032x\\n' {number} > {file}.id"
        host.run(["sh", "-c", make], stdin=AS_A_MACHINE)


@contextmanager
def staged(folder: Path, *, round_trip: float = 0.0, names: int = 0) -> Iterator[Stage]:
    """With a `round_trip` in seconds the hosts lie behind a slow link, `names` of them: from the
    51st on they are the first ones again."""
    if not round_trip:
        yield Stage(folder, access.config_path(), access.known_hosts_path())
        return
    addresses = CATALOGUE[HOST].all_addresses
    behind = [addresses[number % len(addresses)] for number in range(names)]
    with Link(behind, round_trip) as link:
        stage = Stage(folder, folder / "ssh_config", folder / "known_hosts")
        stage.known_hosts.write_text(_known_as(addresses[0], link.ends))
        stage.ssh_config.write_text(_config(stage, link.ends))
        yield stage


def _known_as(address: str, ends: list[tuple[str, int]]) -> str:
    """The host's key under the link's addresses."""
    lines = access.known_hosts_path().read_text().splitlines()
    key = next(line.split(None, 1)[1] for line in lines if address in line.split()[0].split(","))
    return "".join(f"[{near}]:{port} {key}\n" for near, port in ends)


def _config(stage: Stage, ends: list[tuple[str, int]]) -> str:
    hosts = "".join(
        f"Host {name}\n    HostName {near}\n    Port {port}\n"
        for name, (near, port) in zip(stage.names(len(ends)), ends, strict=True)
    )
    return (
        f"{hosts}Host *\n    User deploy\n    IdentityFile {access.key_path()}\n"
        f"    IdentitiesOnly yes\n    UserKnownHostsFile {stage.known_hosts}\n"
        "    GlobalKnownHostsFile /dev/null\n    StrictHostKeyChecking yes\n"
    )
