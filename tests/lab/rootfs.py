"""A host's own file system: a writable layer over the shared base, set up before boot."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from tests.lab import access, places
from tests.lab.process import run
from tests.lab.spec import HostSpec

_FILES = Path(__file__).parent / "overlay"

_NOISE = 'echo "*** Authorized use only. ***"\n'

_NETWORK = """[Match]
Name=host0

[Network]
# Waiting for a router that never speaks would take most of the boot.
LinkLocalAddressing=no
IPv6AcceptRA=no
{addresses}
"""


def root_of(name: str) -> Path:
    return places.host_dir(name) / "root"


def create(spec: HostSpec, base: Path) -> Path:
    """Mount the host's layer over the base and make it this host."""
    place = places.host_dir(spec.name)
    for part in ("upper", "work", "root"):
        (place / part).mkdir(parents=True)
    root = root_of(spec.name)
    # Volatile: nothing of a lab must outlive a crash, so nothing waits for the disk.
    layers = f"volatile,lowerdir={base},upperdir={place}/upper,workdir={place}/work"
    run(["mount", "-t", "overlay", f"xgen-lab-{spec.name}", "-o", layers, str(root)])
    shutil.copytree(_FILES, root, dirs_exist_ok=True)
    # sudo ignores rules that others could have written.
    (root / "etc/sudoers.d/lab").chmod(0o440)
    if spec.purge:
        run(["chroot", str(root), "dpkg", "--purge", "--force-depends", *spec.purge])
    _identity(root, spec)
    _logins(root)
    return root


def remove(name: str) -> None:
    root = root_of(name)
    if os.path.ismount(root) and run(["umount", str(root)], check=False).returncode:
        # A file still open somewhere must not keep the lab from going.
        run(["umount", "--lazy", str(root)])
    run(["rm", "-rf", str(places.host_dir(name))])


def _identity(root: Path, spec: HostSpec) -> None:
    etc = root / "etc"
    (etc / "hostname").write_text(f"{spec.name}\n")
    # Without its own name a host waits for a resolver at every sudo.
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n")
    (etc / "resolv.conf").unlink(missing_ok=True)
    (etc / "resolv.conf").write_text("")
    (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
    access.make_key(etc / "ssh/ssh_host_ed25519_key", spec.name)
    # The name sorts before Debian's own file for containers, which would ask for DHCP.
    network = etc / "systemd/network/10-lab.network"
    addresses = "\n".join(f"Address={address}/24" for address in spec.all_addresses)
    network.write_text(_NETWORK.format(addresses=addresses))


def _logins(root: Path) -> None:
    for user in places.USERS:
        home = root / "home" / user
        owner = home.stat()
        keys = home / ".ssh" / "authorized_keys"
        keys.parent.mkdir(mode=0o700, exist_ok=True)
        keys.write_text(access.public_key())
        for path in (keys.parent, keys):
            os.chown(path, owner.st_uid, owner.st_gid)
    # At the top: Debian's .bashrc ends early where nobody types.
    for name in (".bashrc", ".profile"):
        file = root / "home/banner" / name
        file.write_text(_NOISE + file.read_text())
