"""The Git commit of a manifest."""

import subprocess
from pathlib import Path


def git_commit(manifest: str) -> str | None:
    """`1a2b3c4`, with `+` where the file has uncommitted changes; None outside a checkout."""
    folder, name = Path(manifest).resolve().parent, Path(manifest).name
    commit = _git(folder, "rev-parse", "--short", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--", name)
    return commit + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
