"""Resolves secrets: apply alone does this, right before it needs them."""

import os
import shlex
import subprocess
from pathlib import Path

from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.schema import SecretRef
from xgen_deploy.render.rendered import Secrets
from xgen_deploy.resolve.instance import Instance
from xgen_deploy.transport.base import Session

_COMMAND_TIMEOUT = 60.0


def references(instance: Instance) -> tuple[SecretRef, ...]:
    """Every secret that an instance needs."""
    refs = [v for v in instance.spec.env.values() if isinstance(v, SecretRef)]
    return tuple(refs + ([instance.spec.api_key] if instance.spec.api_key else []))


def resolve_secrets(instance: Instance, session: Session) -> Secrets:
    """Values by reference. Raises XgenError naming the instance and the source, never a value."""
    where = f"{instance.host}/{instance.name}"
    return Secrets({ref: secret_value(ref, where, session) for ref in references(instance)})


def secret_value(ref: SecretRef, where: str, session: Session | None = None) -> str:
    """Without a session a `host_file` cannot be read. Raises XgenError in a sentence."""
    if ref.env is not None:
        value = os.environ.get(ref.env)
        if value is None:
            raise XgenError(f"{where}: the secret's variable {ref.env} is not set here")
    elif ref.file is not None:
        value = _file(Path(ref.file).expanduser(), where)
    elif ref.host_file is not None:
        content = session.read_file(ref.host_file) if session else None
        if content is None:
            raise XgenError(f"{where}: the secret's file {ref.host_file} is not on the host")
        value = content.decode(errors="replace")
    else:
        value = _command(ref.command or "", where)
    value = value.rstrip("\r\n")
    if not value or "\n" in value:
        raise XgenError(f"{where}: the secret is empty or has several lines")
    return value


def _file(path: Path, where: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise XgenError(f"{where}: the secret's file {path} cannot be read: {error}") from None


def _command(command: str, where: str) -> str:
    """The operator's own command on the operator's own machine; split, never given to a shell."""
    try:
        done = subprocess.run(
            shlex.split(command),
            capture_output=True,
            text=True,
            timeout=_COMMAND_TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise XgenError(f"{where}: the secret's command `{command}` failed: {error}") from None
    if done.returncode != 0:
        raise XgenError(
            f"{where}: the secret's command `{command}` ended with status {done.returncode}"
        )
    return done.stdout
