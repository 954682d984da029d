"""Keys and configuration with which the hosts are reached over SSH."""

from __future__ import annotations

from pathlib import Path

from tests.lab import places
from tests.lab.process import run
from tests.lab.spec import HostSpec


def config_path() -> Path:
    return places.ssh_dir() / "config"


def known_hosts_path() -> Path:
    return places.ssh_dir() / "known_hosts"


def key_path() -> Path:
    return places.ssh_dir() / "id_ed25519"


def public_key() -> str:
    """The lab's own login key, made on first use."""
    if not key_path().exists():
        places.ssh_dir().mkdir(parents=True, exist_ok=True)
        places.ssh_dir().chmod(0o700)
        make_key(key_path(), "xgen-deploy-lab")
    return key_path().with_suffix(".pub").read_text()


def make_key(path: Path, comment: str) -> None:
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])


def write(hosts: list[tuple[HostSpec, str]]) -> None:
    """Write `config` and `known_hosts` for these hosts and their public keys."""
    known, config = [], []
    for spec, key in hosts:
        names = ",".join((spec.name, *spec.all_addresses))
        known.append(f"{names} {' '.join(key.split()[:2])}\n")
        config.append(_entry(spec.name, spec.address))
        if spec.addresses > 1:
            for number, address in enumerate(spec.all_addresses, start=1):
                config.append(_entry(f"{spec.name}-{number:02}", address))
    config.append(
        "Host *\n"
        "    User deploy\n"
        f"    IdentityFile {key_path()}\n"
        "    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {known_hosts_path()}\n"
        "    GlobalKnownHostsFile /dev/null\n"
        "    StrictHostKeyChecking yes\n"
    )
    _replace(known_hosts_path(), "".join(known))
    _replace(config_path(), "".join(config))


def _entry(name: str, address: str) -> str:
    return f"Host {name}\n    HostName {address}\n\n"


def _replace(path: Path, text: str) -> None:
    """A reader sees the old file or the new one, never half of it."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text)
    draft.rename(path)
