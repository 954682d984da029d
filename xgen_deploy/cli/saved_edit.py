"""The edit of the manifest that a saved plan may carry: read as if it were made, then written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from xgen_deploy.errors import UsageError

if TYPE_CHECKING:
    from xgen_deploy.plan.saved import SavedPlan
    from xgen_deploy.state.manifest_edit import ManifestEdit


def edited_files(saved: "SavedPlan", manifest: str) -> Mapping[str, bytes]:
    """Raises UsageError where somebody edited the manifest since."""
    if saved.edit is None:
        return {}
    if Path(manifest).read_bytes() != saved.edit.before.encode():
        raise UsageError(
            f"refused: {manifest} has changed since the plan was made; look at it, then ask for "
            "the change again"
        )
    return {manifest: saved.edit.after.encode()}


def writing_of(saved: "SavedPlan") -> Callable[[], None] | None:
    """What writes the edit, where there is one."""
    edit, manifest = saved.edit, saved.site.manifest_file
    return None if edit is None else lambda: _write(manifest, edit)


def _write(manifest: str, edit: "ManifestEdit") -> None:
    """Into the file, and in a Git checkout as a commit of the user's. Raises XgenError."""
    from xgen_deploy.manifest.edit.checkout import (  # seldom
        Commit,
        checkout_of,
        commit_file,
        why_not_editable,
    )
    from xgen_deploy.manifest.edit.file import write_file

    checkout = checkout_of(manifest)
    reason = why_not_editable(checkout) if checkout is not None else ""
    if reason:
        raise UsageError(f"refused: {reason}")
    write_file(manifest, edit.after.encode(), edit.before.encode())
    if checkout is not None:
        commit_file(checkout, Commit(edit.author, edit.message))
