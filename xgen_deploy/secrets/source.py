"""Reads the value of a secret's reference; nothing else does."""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.settings import SecretRef
from xgen_deploy.transport.base import Session

_COMMAND_TIMEOUT = 60.0


@dataclass(frozen=True)
class HostFiles:
    """A host whose files are read, for `host_file` references and delivered secrets."""

    host: str
    session: Session


class NotReadable(Exception):
    """The value is not available; the message is a clause that says why."""


def read_source(ref: SecretRef, on: HostFiles | None) -> SecretText:
    """The value without trailing line ends. Raises NotReadable."""
    if ref.env is not None:
        raw = os.environb.get(ref.env.encode())
        if raw is None:
            raise NotReadable(f"the secret's variable {ref.env} is not set here")
    elif ref.file is not None:
        raw = _file(Path(ref.file).expanduser())
    elif ref.host_file is not None:
        content = on.session.read_file(ref.host_file) if on else None
        if content is None:
            raise NotReadable(f"the secret's file {ref.host_file} is not on the host")
        raw = content
    else:
        raw = _command(ref.command or "")
    # Bytes that are not UTF-8 become surrogates, which the rules for values refuse.
    return SecretText(raw.decode(errors="surrogateescape").rstrip("\r\n"))


def _file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise NotReadable(f"the secret's file {path} cannot be read: {why}") from None


def _command(command: str) -> bytes:
    """Runs the operator's own command on this machine, without a shell."""
    named = f"the secret's command `{command}`"
    try:
        done = subprocess.run(
            shlex.split(command),
            capture_output=True,
            timeout=_COMMAND_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise NotReadable(f"{named} took longer than {_COMMAND_TIMEOUT:.0f} s") from None
    except OSError as error:
        raise NotReadable(f"{named} failed: {error.strerror or type(error).__name__}") from None
    except ValueError as error:  # shlex's: of the command, not of what it prints
        raise NotReadable(f"{named} failed: {error}") from None
    if done.returncode != 0:
        raise NotReadable(f"{named} exited with status {done.returncode}")
    return done.stdout
