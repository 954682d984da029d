"""Encrypts a bundle's volumes by `age`, where it is installed."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from xgen_deploy.errors import XgenError
from xgen_deploy.visible import printable

ENDING = ".age"
_SHOWN = 300


def check_keys(keys: Sequence[str]) -> None:
    """Before hours are spent on what cannot be encrypted. Raises XgenError."""
    _age([*_recipients(keys)], b"")


def encrypt(volumes: Sequence[Path], keys: Sequence[str]) -> tuple[Path, ...]:
    """Each as `site.xgen.age`, in its place. Raises XgenError and OSError."""
    encrypted = []
    for volume in volumes:
        path = volume.with_name(volume.name + ENDING)
        draft = path.with_name(path.name + ".part")
        draft.unlink(missing_ok=True)
        _age([*_recipients(keys), "-o", str(draft), str(volume)])
        draft.replace(path)
        volume.unlink()
        encrypted.append(path)
    return tuple(encrypted)


def _recipients(keys: Sequence[str]) -> list[str]:
    """A key is one itself (`age1…`, `ssh-ed25519 …`), or a file of such."""
    words = []
    for key in keys:
        words += ["-r" if key.startswith(("age1", "ssh-")) else "-R", key]
    return words


def _age(words: list[str], content: bytes | None = None) -> None:
    try:
        done = subprocess.run(
            ["age", "--encrypt", *words], input=content, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise XgenError(
            "--encrypt-to needs `age` on this machine (`apt-get install age`)"
        ) from None
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        said = printable(lines[0]) if lines else "no reason given"
        raise XgenError(f"age does not encrypt: {said[:_SHOWN]}")
