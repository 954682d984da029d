"""What a change's approval leads to: a process that applies it, or a proposal in Git."""

import json
import os
import re
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xgen_deploy.documents.streaming import STREAMING
from xgen_deploy.manifest.edit.checkout import Commit, checkout_of, commit_file, commit_on_branch
from xgen_deploy.manifest.edit.file import write_file
from xgen_deploy.manifest.edit.of_site import Manifest
from xgen_deploy.serve.changes.change import Change
from xgen_deploy.serve.changes.planned import saved_text
from xgen_deploy.serve.changes.process import Runner
from xgen_deploy.serve.changes.refused import Refused

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_NO_REF = re.compile("[^A-Za-z0-9_-]")  # of a user's name, in a branch's


@dataclass(frozen=True)
class Editing:
    """The manifest that changes are made of, the options that a command over it takes (inventory,
    variables, SSH), and what runs one."""

    manifest: Manifest
    options: tuple[str, ...]
    runner: Runner


def start(editing: Editing, change: Change, user: str, ended: Callable[[], None]) -> None:
    """Returns while it is carried out; `change` hears how it goes on."""
    thread = threading.Thread(
        target=_carry_out, args=(editing, change, user, ended), name=f"change-{change.id}"
    )
    thread.daemon = True  # the process outlives this one
    thread.start()


def _carry_out(editing: Editing, change: Change, user: str, ended: Callable[[], None]) -> None:
    code = 1
    try:
        with tempfile.TemporaryDirectory(prefix="xgen-serve-") as folder:
            words = _words(editing, change, user, Path(folder))
            if words[0] in STREAMING:
                code = editing.runner(words, user, change.hear)
            else:
                document: list[str] = []
                code = editing.runner(words, user, document.append)
                change.hear(_on_one_line(document))
    finally:
        change.end(code)
        ended()


def _on_one_line(document: Sequence[str]) -> str:
    """JSON that was printed over several lines."""
    try:
        return json.dumps(json.loads("\n".join(document)), ensure_ascii=False)
    except ValueError:
        return json.dumps({"errors": [{"message": "the command ended without an answer"}]})


def _words(editing: Editing, change: Change, user: str, folder: Path) -> Sequence[str]:
    asked, manifest = change.asked, editing.manifest
    if asked.edit is not None:
        edit = asked.edit.model_copy(update={"author": user})
        text = saved_text(change.planned, edit, manifest.inventory, manifest.variables)
        path = folder / "plan.json"
        path.write_text(text, encoding="utf-8")
        ssh = [o for o in editing.options if o.startswith("--ssh-config=")]
        return ["apply", str(path), "--json", *ssh]
    if asked.what == "rollback":
        return [
            "rollback",
            manifest.path,
            f"--to={change.planned.to}",
            "-y",
            "--json",
            *editing.options,
        ]
    return [
        *(asked.what, manifest.path, asked.instance or "", f"--limit={asked.host}"),
        *("-y", "--json", *editing.options),
    ]


def propose(change: Change, user: str) -> None:
    """A branch, or outside of Git a patch beside the manifest. Raises Refused, XgenError."""
    edit, path = change.asked.edit, Path(change.manifest)
    if edit is None:
        raise Refused(403, "here changes are only proposed, and this one is none of the manifest")
    checkout = checkout_of(change.manifest)
    if checkout is not None:
        branch = f"xgen-serve/{_NO_REF.sub('-', user)}/{change.id}"
        commit_on_branch(checkout, edit.after.encode(), branch, Commit(user, edit.message))
        change.branch = branch
    else:
        patch = path.with_name(f"{path.name}.{change.id}.patch")
        mode = path.stat().st_mode & 0o666  # it has lines of the manifest
        with open(os.open(patch, _NEW, mode), "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(change.diff)
        change.patch = str(patch)
    change.state = "proposed"


def undo(change: Change, user: str) -> None:
    """The manifest as it was before. Raises ManifestError where it was changed meanwhile."""
    edit = change.asked.edit
    if edit is None or not change.may_undo:
        raise Refused(409, "there is no edit of this change in the manifest to take back")
    write_file(change.manifest, edit.before.encode(), edit.after.encode())
    checkout = checkout_of(change.manifest)
    if checkout is not None:
        commit_file(checkout, Commit(user, f"undo: {edit.message}"))
    change.state = "undone"
