"""Which hosts the lab can have, and in what they differ."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab import places


@dataclass(frozen=True)
class HostSpec:
    """One host, before it exists."""

    name: str
    number: int
    docker: bool = True
    purge: tuple[str, ...] = ()
    addresses: int = 1

    @property
    def all_addresses(self) -> tuple[str, ...]:
        last = self.number + self.addresses
        return tuple(f"{places.network()}.{n}" for n in range(self.number, last))

    @property
    def address(self) -> str:
        return self.all_addresses[0]

    @property
    def machine(self) -> str:
        """What this machine knows the host by: short, and no other lab's."""
        return f"lab{places.number()}-{self.number}"

    @property
    def interface(self) -> str:
        """The outer end of the host's network cable, as systemd-nspawn names it."""
        return f"vb-{self.machine}"


_DOCKER = ("docker.io", "containerd", "runc")
_PYTHON_LIBRARY = ("python3", "python3.11", "libpython3-stdlib", "libpython3.11-stdlib")
_PYTHON_MINIMAL = ("python3-minimal", "python3.11-minimal", "libpython3.11-minimal")

CATALOGUE = {
    spec.name: spec
    for spec in (
        HostSpec("lab-a", 11),
        HostSpec("lab-b", 12),
        HostSpec("lab-bare", 13, docker=False, purge=_DOCKER),
        HostSpec("lab-nopython", 14, purge=_PYTHON_LIBRARY + _PYTHON_MINIMAL),
        HostSpec("lab-minimal", 15, purge=_PYTHON_LIBRARY),
        HostSpec("lab-gpu", 16, docker=False, purge=_DOCKER),
        HostSpec("lab-spare", 17),
        HostSpec("lab-main", 22),
        HostSpec("lab-gateway", 18),
        HostSpec("lab-back", 21),
        HostSpec("lab-engines", 20),
        HostSpec("lab-upgrade", 23),
        HostSpec("lab-fleet", 101, addresses=50),
    )
}

STANDARD = ("lab-a", "lab-b")
