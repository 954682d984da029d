"""The lock file beside a manifest: read as strictly as that, written for people to compare."""

from pathlib import Path

from pydantic import ValidationError

from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, plain
from xgen_deploy.manifest.scalars import core
from xgen_deploy.manifest.yaml_text import yaml_text
from xgen_deploy.state.lock_file import FORMAT, LockFile, lock_path

_HEAD = """\
# What the sources of {manifest} were when they were looked at. `plan`, `fetch` and `apply` take
# exactly this. Written by `xgen-deploy lock`, which moves a model with `--update MODEL` only.
"""


def read_lock(manifest: str, files: Files, problems: Problems) -> LockFile | None:
    """None where there is none. Raises ManifestError."""
    path = lock_path(manifest)
    if not Path(path).exists():
        return None
    root = parse(path, files.text(path, "lock file"), core, problems)
    stated = root.entries.get("xgen_lock") if isinstance(root, MapNode) else None
    if not isinstance(root, MapNode) or stated is None:
        raise failure(path, "this is no lock file; `xgen-deploy lock` writes one, delete this")
    number = plain(stated.node)
    if isinstance(number, int) and number > FORMAT:
        raise failure(path, f"a newer xgen-deploy wrote it (format {number}); use that one")
    try:
        return LockFile.model_validate(plain(root))
    except ValidationError as error:
        report(error, root, LockFile, problems)
        problems.raise_if_any()
        raise


def lock_text(lock: LockFile, manifest: str) -> str:
    values = lock.model_dump(mode="json", exclude_defaults=True)
    head = _HEAD.format(manifest=Path(manifest).name)
    return head + yaml_text({"xgen_lock": lock.xgen_lock, **values}).rstrip("\n")
