"""A real sshd on a port of this machine, for whoever runs the tests."""

import getpass
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.ports import free_port
from tests.transport.eventually import eventually

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")


def keygen(path: Path, *options: str) -> Path:
    """A key pair at `path`; ed25519 without a passphrase unless the options say else."""
    argv = ["ssh-keygen", "-q", "-f", str(path), "-t", "ed25519", "-N", "", *options]
    subprocess.run(argv, check=True, capture_output=True)
    return path


def fingerprint(key: Path) -> str:
    argv = ["ssh-keygen", "-lf", f"{key}.pub"]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()[1]


@dataclass
class Sshd:
    """`host_keys` may be changed between stop() and start()."""

    folder: Path
    authorized: Path
    host_keys: list[Path]
    port: int = 0
    listen: str = "127.0.0.1"
    settings: list[str] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def user(self) -> str:
        return getpass.getuser()

    def start(self) -> "Sshd":
        self.port = self.port or free_port()
        config = [
            *self.settings,
            f"Port {self.port}",
            f"ListenAddress {self.listen}",
            *(f"HostKey {key}" for key in self.host_keys),
            f"AuthorizedKeysFile {self.authorized}",
            f"PidFile {self.folder / 'pid'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "LogLevel VERBOSE",
        ]
        (self.folder / "config").write_text("\n".join(config) + "\n")
        argv = [SSHD, "-D", "-E", str(self.folder / "log"), "-f", str(self.folder / "config")]
        (self.folder / "log").unlink(missing_ok=True)
        self._process = subprocess.Popen(argv)
        assert eventually(self._listens), self.log
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def _listens(self) -> bool:
        return (self.folder / "log").exists() and f"port {self.port}" in self.log
