"""A running host, as tests arrange it, disturb it and look at it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import access, files, machine, network, places, rootfs
from tests.lab.process import run, wait_until
from tests.lab.spec import HostSpec

_KEY = "etc/ssh/ssh_host_ed25519_key"


@dataclass(frozen=True)
class LabHost:
    """Access to one host; holds no state, so that any process can have one."""

    spec: HostSpec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def address(self) -> str:
        return self.spec.address

    @property
    def rootfs(self) -> Path:
        """The host's disk, readable and writable from outside while it runs."""
        return rootfs.root_of(self.name)

    @property
    def console_log(self) -> Path:
        return places.host_dir(self.name) / "console.log"

    def run(
        self,
        argv: Sequence[str],
        user: str = "root",
        *,
        check: bool = True,
        stdin: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, not over SSH: for arranging and asserting."""
        entered = machine.enter(self.name, argv, user)
        return run(entered, check=check, stdin=stdin, timeout=timeout)

    def sh(self, script: str, user: str = "root") -> str:
        """The output of a shell script run inside."""
        return self.run(["sh", "-ec", script], user).stdout.strip()

    def ssh_argv(self, *command: str, user: str = "deploy") -> list[str]:
        target = ["ssh", "-F", str(access.config_path()), "-o", "BatchMode=yes", "-l", user]
        return [*target, self.name, *command]

    def ssh(
        self, *command: str, user: str = "deploy", check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a user of the lab would."""
        return run(self.ssh_argv(*command, user=user), check=check, timeout=120)

    def files(self, ignore: tuple[str, ...] = ()) -> frozenset[files.FileEntry]:
        """What lies on the host's disk now, but for what a running system changes by itself."""
        return files.snapshot(self.rootfs, ignore)

    def unplug(self) -> None:
        """Pull the network cable: packets vanish, connections hang."""
        network.set_cable(self.spec.interface, plugged=False)

    def plug(self) -> None:
        network.set_cable(self.spec.interface, plugged=True)
        machine.wait_ready(self.spec)

    def reboot(self) -> None:
        """An orderly reboot; returns when the host is ready again."""
        self._reboot("systemctl", "reboot")

    def power_cut(self) -> None:
        """Everything ends at once, without a word; returns when the host is ready again."""
        self._reboot("systemctl", "reboot", "--force", "--force")

    def _reboot(self, *argv: str) -> None:
        before = machine.leader(self.name)
        self.run(argv, check=False)
        wait_until(
            lambda: machine.leader(self.name) not in {before, None}, f"{self.name} to restart", 120
        )
        machine.wait_ready(self.spec)

    def swap_host_key(self) -> None:
        """Give the host another SSH identity, as a reinstalled or an impostor host has."""
        key = self.rootfs / _KEY
        for file in (key, key.with_suffix(".pub")):
            file.rename(file.with_name("lab-kept-" + file.name))
        access.make_key(key, "impostor")
        self.run(["systemctl", "restart", "ssh"])
        machine.wait_ready(self.spec)

    def restore_host_key(self) -> None:
        key = self.rootfs / _KEY
        for file in (key, key.with_suffix(".pub")):
            file.with_name("lab-kept-" + file.name).replace(file)
        self.run(["systemctl", "restart", "ssh"])
        machine.wait_ready(self.spec)

    @contextmanager
    def small_disk(self, path: str, size: str = "1M") -> Iterator[None]:
        """Within the block, `path` is a disk of its own with no room; what was there is hidden."""
        self.run(["mkdir", "-p", path])
        self.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "xgen-lab-small-disk", path])
        try:
            yield
        finally:
            self.run(["umount", "--lazy", path])
