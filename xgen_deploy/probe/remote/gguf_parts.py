"""A GGUF model in one file, or in several named `…-00001-of-00003.gguf`."""

from __future__ import annotations

import os
import re
from typing import Any

from xgen_deploy.probe.remote.content_state import content_state, damage
from xgen_deploy.probe.remote.files import file_state

_PART = re.compile(r"^(.*)-(\d{5})-of-(\d{5})\.gguf$")


def is_gguf(path: str) -> bool:
    """By its first bytes. Raises OSError."""
    with open(path, "rb") as file:
        return file.read(4) == b"GGUF"


def gguf_model(
    path: str, known: dict[str, Any] | None = None, *, alone: bool = False
) -> dict[str, Any]:
    """The model whose first file is `path`; `known` are facts of whole models by their state.
    `alone`: the headers will do, the tensors need not be there. Raises OSError."""
    paths, problem = _all_parts(path)
    present = [part for part in paths if os.path.exists(part)]
    answer = {
        "path": path,
        "format": "gguf",
        "size": sum(os.path.getsize(part) for part in present),
        "state": content_state(present) or file_state(present),
        "error": problem,
    }
    answer.update({} if problem else damage(present))
    if answer["error"]:
        return answer
    kept = (known or {}).get(str(answer["state"]))
    if kept is not None:
        return dict(answer, gguf=kept, cached=True)
    return _read(path, paths, answer, alone=alone)


def _read(path: str, paths: list[str], answer: dict[str, Any], *, alone: bool) -> dict[str, Any]:
    """A vocabulary takes long to read past, so that a file is read once for each of its states."""
    from xgen_deploy.probe.remote.gguf import essentials, number_of, read_header, read_header_alone
    from xgen_deploy.probe.remote.gguf_cursor import NotGGUF
    from xgen_deploy.probe.remote.gguf_shape import shape

    table: list[Any] = []
    keys: dict[str, Any] = {}
    for part in paths:
        try:
            header = read_header_alone(part) if alone else read_header(part)
        except NotGGUF as error:
            where = "" if len(paths) == 1 else os.path.basename(part) + ": "
            return dict(answer, error=f"{where}{error}")
        table += header.table
        if part == path:
            keys = header.keys
            answer["gguf"] = essentials(header, len(paths) if len(paths) > 1 else None)
            split = number_of(header.keys, "split.count") or 1
            if split != len(paths):
                wrong = "its header says %d files, its name %d: keep the names it came with"
                return dict(answer, error=wrong % (split, len(paths)))
    if len(paths) > 1:
        answer["gguf"]["shape"] = shape(keys, table)
    return answer


def parts_of(path: str) -> list[str]:
    """The files of a model whose first one is `path`, as many of them as are there."""
    return [part for part in _all_parts(path)[0] if os.path.exists(part)]


def _all_parts(path: str) -> tuple[list[str], str | None]:
    """The files that belong together, and what is wrong with that."""
    named = _PART.match(path)
    if not named:
        return [path], None
    stem, number, count = named[1], int(named[2]), int(named[3])
    paths = [f"{stem}-{n:05d}-of-{count:05d}.gguf" for n in range(1, count + 1)]
    if number != 1:
        return [path], f"is part {number}; name the first one: {paths[0]}"
    missing = [_named(part) for part in paths if not os.path.exists(part)]
    if missing:
        shown = ", ".join(missing[:3]) + ("…" if len(missing) > 3 else "")
        return paths, f"{len(missing)} of its {count} files are missing: {shown}"
    return paths, None


def _named(part: str) -> str:
    """Of one that is missing; a link says where it leads."""
    name = os.path.basename(part)
    return f"{name} (a link to {os.path.realpath(part)})" if os.path.islink(part) else name
