"""A manifest in a Git checkout: whether it may be edited there, and edits as commits."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.errors import XgenError

_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes", "LC_ALL": "C"}
_LONGEST = 30  # seconds


@dataclass(frozen=True)
class Checkout:
    """`folder` is the working tree's root, `name` the manifest's path in it."""

    folder: Path
    name: str


@dataclass(frozen=True)
class Commit:
    """Whose it is, and why; `author` is a user of `serve`, not Git's own."""

    author: str
    message: str


def checkout_of(manifest: str) -> Checkout | None:
    """None outside a checkout, and of a file that Git is told to ignore."""
    path = Path(manifest).resolve()
    root = _said(path.parent, "rev-parse", "--show-toplevel")
    if root is None or _said(path.parent, "check-ignore", "-q", path.name) is not None:
        return None
    return Checkout(Path(root), str(path.relative_to(Path(root).resolve())))


def why_not_editable(checkout: Checkout) -> str:
    """A sentence, "" where it may be edited. Asks the upstream for news, where it answers."""
    folder = checkout.folder
    if _said(folder, "rev-parse", "HEAD") is None:
        return f"{folder} has no commit yet; commit the manifest first"
    if _said(folder, "ls-files", "--error-unmatch", "--", checkout.name) is None:
        return f"{checkout.name} is not in Git yet; commit it first"
    changed = _said(folder, "status", "--porcelain", "--untracked-files=no")
    if changed:
        files = ", ".join(line[3:] for line in changed.splitlines()[:5])
        return f"the checkout has changes that are not committed ({files}); commit them first"
    _said(folder, "fetch", "--quiet")
    behind = _said(folder, "rev-list", "--count", "HEAD..@{upstream}")
    if behind not in (None, "0"):
        return f"the checkout is {behind} commits behind its upstream; pull first"
    return ""


def commit_file(checkout: Checkout, commit: Commit) -> str:
    """Commits the manifest as it is now, and nothing else; the new commit's short name."""
    _do(checkout.folder, *_named(commit), "commit", "--quiet", "--no-verify", "--only",
        "-m", commit.message, "--", checkout.name)  # fmt: skip
    return _do(checkout.folder, "rev-parse", "--short", "HEAD")


def commit_on_branch(checkout: Checkout, content: bytes, branch: str, commit: Commit) -> str:
    """The manifest with that content as a commit on a new branch from here; the working tree and
    its branch stay as they are."""
    folder = checkout.folder
    blob = _do(folder, "hash-object", "-w", "--stdin", given=content)
    mode = _do(folder, "ls-tree", "HEAD", "--", checkout.name).split(" ")[0]
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
        _do(folder, "read-tree", "HEAD", env=index)
        entry = f"{mode},{blob},{checkout.name}"
        _do(folder, "update-index", "--cacheinfo", entry, env=index)
        tree = _do(folder, "write-tree", env=index)
    made = _do(folder, *_named(commit), "commit-tree", tree, "-p", "HEAD", "-m", commit.message)
    _do(folder, "update-ref", f"refs/heads/{branch}", made, "")
    return _do(folder, "rev-parse", "--short", made)


def _named(commit: Commit) -> tuple[str, ...]:
    name = f"{commit.author} via xgen-deploy serve"
    return ("-c", f"user.name={name}", "-c", "user.email=", "-c", "commit.gpgsign=false")


def _said(folder: Path, *words: str) -> str | None:
    """None where Git refuses."""
    try:
        return _do(folder, *words)
    except XgenError:
        return None


def _do(
    folder: Path, *words: str, given: bytes | None = None, env: dict[str, str] | None = None
) -> str:
    """What Git says. Raises XgenError."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            timeout=_LONGEST,
            check=False,
            input=given or b"",
            env={**os.environ, **_QUIET, **(env or {})},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise XgenError(f"git could not be asked in {folder}: {error}") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise XgenError(f"git {_command(words)} failed in {folder}: {' '.join(said[-2:])}")
    return done.stdout.decode(errors="surrogateescape").strip("\n")


def _command(words: tuple[str, ...]) -> str:
    """Its name, after the options that are for all of them."""
    return next(w for i, w in enumerate(words) if w != "-c" and (not i or words[i - 1] != "-c"))
