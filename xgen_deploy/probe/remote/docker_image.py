"""An image as the daemon has it, and what the engine in it says of itself."""

from __future__ import annotations

import struct
from typing import Any

from xgen_deploy.probe.remote.commands import NOBODY
from xgen_deploy.probe.remote.unix_http import Exchange, Response, quote, request

PATIENCE = 5.0
LABEL = "xgen.probe"


def inspect(socket: str, reference: str) -> Response:
    return request(socket, "GET", f"/images/{quote(reference)}/json", PATIENCE)


def pullable(socket: str, reference: str) -> str | None:
    """None where a registry has the image, else why it cannot be had. Nothing is pulled."""
    target = f"/distribution/{quote(reference)}/json"
    try:
        answer = request(socket, "GET", target, PATIENCE)
    except OSError as error:
        return f"its registry does not answer: {error}"
    return None if answer.status == 200 else answer.complaint.strip()[:300]


def help_text(socket: str, image_id: str, entrypoint: list[str], timeout: float) -> str:
    """What the engine prints for `--help`, run without network, mounts, rights or a log; the
    container removes itself. Raises RuntimeError with the
    reason, OSError or ValueError."""
    created = request(socket, "POST", "/containers/create", PATIENCE, _asking(image_id, entrypoint))
    if created.status != 201:
        raise RuntimeError(created.complaint)
    place = "/containers/" + created.value["Id"]
    attached = Exchange(socket, "POST", place + "/attach?stream=1&stdout=1&stderr=1", timeout)
    try:
        attached.head()
        started = request(socket, "POST", place + "/start", timeout)
        if started.status != 204:
            raise RuntimeError(started.complaint)
        return _unframe(attached.rest())
    finally:
        attached.close()
        request(socket, "DELETE", place + "?force=1", PATIENCE)


def _asking(image_id: str, entrypoint: list[str]) -> dict[str, Any]:
    return {
        "Image": image_id,
        "Entrypoint": entrypoint,
        "Cmd": ["--help"],
        "User": f"{NOBODY}:{NOBODY}",
        "Labels": {LABEL: "1"},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "PidsLimit": 256,
            "LogConfig": {"Type": "none"},
        },
    }


def _unframe(data: bytes) -> str:
    """Docker sends both streams interleaved, each piece behind a header of eight bytes."""
    pieces, at = [], 0
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at + 4)
        pieces.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return b"".join(pieces).decode("utf-8", "replace")
