"""Signatures with SSH keys, by `ssh-keygen -Y`, which every OpenSSH since 8.1 has."""

import os
import subprocess
import tempfile
from pathlib import Path

from xgen_deploy.bundle.volumes import LONGEST_SIGNATURE
from xgen_deploy.errors import XgenError
from xgen_deploy.visible import printable

NAMESPACE = "xgen-bundle"
_SECONDS = 30
_ASKS = 600  # for a passphrase, or to touch a key


def sign(content: bytes, key: str, namespace: str = NAMESPACE) -> bytes:
    """`key` is the file of a private key, or of the public key of one that an agent has. Raises
    XgenError."""
    if not Path(key).is_file():
        raise XgenError(f"there is no key {key}")
    done = _run(["-Y", "sign", "-f", key, "-n", namespace], content, _ASKS)
    if done.returncode != 0 or not done.stdout:
        raise XgenError(f"ssh-keygen does not sign with {key}: {_said(done.stderr)}")
    if len(done.stdout) > LONGEST_SIGNATURE:
        raise XgenError(f"the signature by {key} is too long")
    return done.stdout


def signer_of(content: bytes, signature: bytes, allowed: Path) -> str | None:
    """Whom of `allowed` (see `ALLOWED SIGNERS` in ssh-keygen(1)) a good signature is by; None where
    it is by none of them, or is not of this content. Raises XgenError where nobody can tell."""
    if not allowed.is_file():
        raise XgenError(
            f"there is no file of allowed signers {allowed}; a line of it is a name and the "
            "signer's public key, and `--allowed-signers FILE` names another"
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "signature")
        file.write_bytes(signature)
        common = ["-f", str(allowed), "-s", str(file)]
        found = _run(["-Y", "find-principals", *common], b"", _SECONDS)
        for principal in found.stdout.decode(errors="replace").splitlines():
            words = ["-Y", "verify", *common, "-n", NAMESPACE, "-I", principal]
            if _run(words, content, _SECONDS).returncode == 0:
                return printable(principal)
    return None


def usual_signers() -> Path:
    """`~/.config/xgen-deploy/allowed_signers`."""
    stated = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(stated) if stated.startswith("/") else Path.home() / ".config"
    return base / "xgen-deploy" / "allowed_signers"


def _run(words: list[str], content: bytes, seconds: int) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["ssh-keygen", *words], input=content, capture_output=True, timeout=seconds, check=False
        )
    except FileNotFoundError:
        raise XgenError(
            "signatures need `ssh-keygen`, of OpenSSH 8.1 or newer, on this machine"
        ) from None
    except subprocess.TimeoutExpired:
        raise XgenError("ssh-keygen did not answer") from None


def _said(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return printable(lines[-1]) if lines else "no reason given"
