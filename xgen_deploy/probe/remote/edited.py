"""What was edited by hand of the files that an apply wrote: the record has their digests."""

from __future__ import annotations

import glob
import os
import stat
from typing import Any

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.files import HASHED, RECORD, record
from xgen_deploy.probe.remote.sha256 import sha256
from xgen_deploy.probe.remote.units import FOLDERS

MOST = 40
BYTES = 64 << 10
LINES = 2000
DROP_INS = 20


def edited(asked: dict[str, Any]) -> dict[str, Any]:
    """Only the project's own files are opened, whatever the record names."""
    project, etc_dir, process_dir = asked["project"], asked["etc_dir"], asked["process_dir"]
    definitions = os.path.join(process_dir, "conf.d") if process_dir else FOLDERS[0]
    own = (os.path.join(definitions, "xgen-" + project + "-"), os.path.join(etc_dir, ""))
    seen = []
    for path, digest in _written(asked["state_dir"]):
        if path.startswith(own) and os.path.normpath(path) == path:
            content = _content(path)
            if content is None or sha256(content).hexdigest() != digest:
                seen.append(_file(path, content))
    drop_ins: list[str] = []
    for folder in FOLDERS:
        drop_ins += glob.glob(os.path.join(folder, "xgen-" + project + "-*.service.d", "*.conf"))
    seen += [_file(path, _content(path)) for path in sorted(drop_ins)[:DROP_INS]]
    return {"edited": seen[:MOST]}


def _written(state_dir: str) -> list[tuple[str, str]]:
    """Path and digest of every file of the record; none where it cannot be read."""
    try:
        known = read_json(record(state_dir)["record"] or "", RECORD)
        late = [known.get(name) or {} for name in ("gateway", "monitoring")]
        entries = [*known.get("instances", {}).values(), *late]
        return [pair for entry in entries for pair in entry.get("files", {}).items()]
    except (ValueError, AttributeError, TypeError):
        return []


def _content(path: str) -> bytes | None:
    """None where it is no regular file that can be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(HASHED + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def _file(path: str, content: bytes | None) -> dict[str, Any]:
    lines = None
    if content is not None and len(content) <= BYTES:
        try:
            lines = content.decode("utf-8").split("\n")[:LINES]
        except UnicodeDecodeError:
            pass
    return {"path": path, "exists": os.path.lexists(path), "lines": lines}
