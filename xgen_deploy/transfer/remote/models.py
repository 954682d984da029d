"""Looks at the folders of models of this host, removes files from them, or reads them whole.

The request is a line of JSON on standard input, with `do` and what that needs; the answer comes as
lines of JSON on standard output, the last one an `end`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Callable

from xgen_deploy.transfer.remote import built, check, docker_api, gentle, prune, stock
from xgen_deploy.transfer.remote.mounts import on_network

SHOWN = 1000
_AT_ONCE = ("read", "checked", "removed", "kept")


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    try:
        _DO[request["do"]](request)
        _tell("end", text="")
    except BrokenPipeError:
        os._exit(1)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        _tell("end", text=f"{error.strerror or error}{where}"[:SHOWN])
    except Exception as error:
        _tell("end", text=f"{type(error).__name__}: {error}"[:SHOWN])
    sys.stdout.flush()
    os._exit(0)


def _look(request: dict[str, Any]) -> None:
    noted: set[str] = set()
    for root in request["roots"]:
        if on_network(root):
            _tell("network", root=root)
        links, notes = stock.links(root), list(stock.notes(root))
        for note in notes:
            noted.add(note.place)
            found = links.get(note.place, [])
            _tell("file", root=root, state=note.state, links=found, **note._asdict())
        for build in built.without_archive(root, notes):
            _tell("file", root=root, state=built.UNPACKED, links=[], **build._asdict())
    seen = set(noted)
    for root in request["roots"]:
        for place, size in stock.others(root, seen):
            seen.add(place)
            _tell("other", root=root, place=place, size=size)
    for path in request["paths"]:
        _tell("path", path=path, real=os.path.realpath(path))
    if request.get("images"):
        for layers in docker_api.layers_of_images():
            _tell("image", layers=layers)


def _prune(request: dict[str, Any]) -> None:
    for root in request["roots"]:
        chosen = [item for item in request["files"] if item["root"] == root]
        prune.prune(root, chosen, request["keep"], _tell)
        prune.forget_gone(root)


def _check(request: dict[str, Any]) -> None:
    gentle.be_gentle()
    os.umask(0o022)  # whoever looks at this host reads what is noted
    for root in request["roots"]:
        check.check(root, _tell)


def _tell(kind: str, **more: Any) -> None:
    sys.stdout.write(json.dumps(dict(more, kind=kind)) + "\n")
    if kind in _AT_ONCE:
        sys.stdout.flush()
    if kind != "file":
        sys.stdout.flush()


_DO: dict[str, Callable[[dict[str, Any]], None]] = {
    "look": _look,
    "prune": _prune,
    "check": _check,
}
