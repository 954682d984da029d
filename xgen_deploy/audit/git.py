"""What Git knows of a manifest."""

import re
import subprocess
from functools import cache
from pathlib import Path

from xgen_deploy.state.origin import MOST, Origin


def git_commit(manifest: str) -> str | None:
    """`1a2b3c4`, with `+` where the file has uncommitted changes; None outside a checkout."""
    folder, name = Path(manifest).resolve().parent, Path(manifest).name
    commit = _git(folder, "rev-parse", "--short", "HEAD")
    if commit is None:
        return None
    changed = _git(folder, "status", "--porcelain", "--", name)
    return commit + ("+" if changed else "")


def differs_from_commit(manifest: str, commit: str) -> bool | None:
    """Whether the file is not as it was then; None where the checkout does not know."""
    path = Path(manifest).resolve()
    if not re.fullmatch("[0-9a-f]{4,64}", commit):
        return None
    changed = _git(path.parent, "diff", "--name-only", commit, "--", path.name)
    return None if changed is None else bool(changed)


@cache
def origin_of(manifest: str) -> Origin:
    """By the repository's first commit, which every clone has, except a shallow one. Takes a while
    where the history is long, the first time.
    """
    path = Path(manifest).resolve()
    said = _git(path.parent, "rev-parse", "--is-shallow-repository", "--show-prefix")
    shallow, _, prefix = (said or "true").partition("\n")
    return Origin(
        repository=None if shallow == "true" else _first_commit(path.parent),
        path=f"{prefix}{path.name}".encode(errors="backslashreplace").decode()[-MOST:],
    )


def _first_commit(folder: Path) -> str | None:
    said = _git(folder, "rev-list", "--first-parent", "--max-parents=0", "HEAD") or ""
    return said if re.fullmatch("[0-9a-f]{7,64}", said) else None


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
