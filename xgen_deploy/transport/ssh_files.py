"""Read OpenSSH's client configuration files."""

from pathlib import Path

from xgen_deploy.errors import UsageError
from xgen_deploy.transport import ssh_config


def read_config(stated: str | None, home: str) -> tuple[ssh_config.Block, ...]:
    """The `stated` file alone, as `ssh -F` does, or the user's and the system's. Raises
    UsageError where a stated file cannot be read."""
    if stated is not None:
        return _read(stated, f"{home}/.ssh", home, needed=True)
    user = _read(f"{home}/.ssh/config", f"{home}/.ssh", home)
    return user + _read("/etc/ssh/ssh_config", "/etc/ssh", home)


def _read(
    file: str, folder: str, home: str, *, needed: bool = False
) -> tuple[ssh_config.Block, ...]:
    def included(pattern: str) -> list[tuple[str, str]]:
        full = home + pattern[1:] if pattern.startswith("~/") else pattern
        paths = sorted(Path(folder).glob(full)) if full[:1] != "/" else _absolute(full)
        return [(str(path), path.read_text(errors="replace")) for path in paths if path.is_file()]

    try:
        return ssh_config.parse(Path(file).read_text(errors="replace"), file, included)
    except OSError as error:
        if not needed:
            return ()
        raise UsageError(f"{error.filename}: {error.strerror} (for --ssh-config)") from None


def _absolute(pattern: str) -> list[Path]:
    return sorted(Path("/").glob(pattern.lstrip("/")))
