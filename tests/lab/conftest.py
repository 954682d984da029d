"""The lab as pytest fixtures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

from tests.lab import access, claim, prerequisites
from tests.lab import lab as hosts
from tests.lab.host import LabHost


@dataclass(frozen=True)
class Lab:
    """What tests get: hosts by name, more of them on demand."""

    started: list[str] = field(default_factory=list)

    @property
    def ssh_config(self) -> Path:
        return access.config_path()

    @property
    def known_hosts(self) -> Path:
        return access.known_hosts_path()

    @property
    def key(self) -> Path:
        return access.key_path()

    def host(self, name: str) -> LabHost:
        """A host, booted now if it does not run yet."""
        return self.hosts(name)[0]

    def hosts(self, *names: str) -> list[LabHost]:
        """Several hosts; those that do not run yet boot side by side."""
        running = hosts.running()
        self.started.extend(name for name in names if name not in running)
        return hosts.up(names)

    extra = host

    def testinfra(self, name: str, *, user: str = "deploy", sudo: bool = False) -> Host:
        """The host as testinfra sees it, over SSH."""
        self.host(name)
        return testinfra.get_host(
            f"ssh://{user}@{name}", ssh_config=str(self.ssh_config), sudo=sudo
        )


# For what takes minutes and shows what shorter tests show too, in more ways.
long = pytest.mark.skipif(
    os.environ.get("XGEN_LAB_ALL") != "1",
    reason="optional: it takes minutes; XGEN_LAB_ALL=1 runs it",
)


@pytest.fixture(scope="session")
def lab_of_this_run() -> Iterator[None]:
    """Each of several workers has a lab of its own; pytest by itself takes the one to play with."""
    if reason := prerequisites.missing_reason():
        if os.environ.get("XGEN_REQUIRE_LAB") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        yield
        return
    with claim.own_lab():
        hosts.down()  # what a run left that was killed
        yield


@pytest.fixture(scope="module")
def lab(lab_of_this_run: None) -> Iterator[Lab]:
    """Hosts boot when a test asks for one, and go with the file; idle ones cost the others time.
    Those that ran before are left up, and all with XGEN_LAB_KEEP=1.
    """
    shared = Lab()
    try:
        yield shared
    finally:
        if shared.started and os.environ.get("XGEN_LAB_KEEP") != "1":
            hosts.down(shared.started)


@pytest.fixture(scope="module")
def pair(lab: Lab) -> list[LabHost]:
    """Two hosts with the lab's small models."""
    from tests.lab import engine_site  # which imports this module

    found = lab.hosts("lab-gateway", "lab-back")
    for host in found:
        engine_site.place_models(host)
    return found
