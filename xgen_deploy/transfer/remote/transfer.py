"""Brings files to this host: from the web, from standard input, or from the host before it, and
hands them on to the next one meanwhile.

The request is a line of JSON on standard input; what happens comes as lines of JSON on standard
output. It ends with its input, unless it was told to go on alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
import time
from typing import Any

from xgen_deploy.transfer.remote import download, gentle, peer_client, peer_server, receive
from xgen_deploy.transfer.remote.brought import note_brought
from xgen_deploy.transfer.remote.engine_build import Unusable, place_build
from xgen_deploy.transfer.remote.events import Events
from xgen_deploy.transfer.remote.part import (
    CHUNK,
    Busy,
    File,
    Part,
    Wrong,
    drop_pages,
    is_there,
    sync_folder,
)
from xgen_deploy.transfer.remote.web_source import Access, Refused, Unavailable

POLL = 0.5
SHOWN = 1000


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    tell = Events()
    os.umask(0o022)  # engines, which are other users, read what was brought
    gentle.be_gentle()
    if request.get("detach"):
        _go_on_alone(request["detach"], tell)
    transfer = Transfer(request, tell)
    try:
        transfer.run()
        tell("done")
    except receive.Ended:
        os._exit(1)
    except Wrong as error:
        tell("failed", text=str(error)[:SHOWN], file=transfer.at, wrong=True)
    except (Refused, Unavailable, Unusable) as error:
        tell("failed", text=str(error)[:SHOWN], file=transfer.at)
    except OSError as error:
        text = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        tell("failed", text=f"{text}{where}"[:SHOWN], file=transfer.at, errno=error.errno)
    except Exception as error:
        tell("failed", text=f"{type(error).__name__}: {error}"[:SHOWN], file=transfer.at)
    if not request.get("detach"):
        transfer.serve_on()
    os._exit(0)


class Transfer:
    """One request. `at` is the number of the file that is under way."""

    def __init__(self, request: dict[str, Any], tell: Events) -> None:
        self._request, self._tell = request, tell
        self._files = [File(**file) for file in request["files"]]
        self._pace = download.Pace(request.get("limit_rate") or 0)
        self._route: str = request["route"]  # download, receive or peer
        serving = request.get("serving")
        self._server = _server(peer_server.Serving(**serving), tell) if serving else None
        peer = request.get("peer")
        self._peer = peer_client.PeerClient(peer_client.Peer(**peer), self._pace) if peer else None
        self.at: int | None = None
        if not request.get("detach"):
            _end_with_input()

    def run(self) -> None:
        """Raises what the routes raise."""
        for number, file in enumerate(self._files):
            self.at = number
            os.makedirs(os.path.dirname(file.place), exist_ok=True)
            self._tell("file", file=number)
            if not self._already(number, file):
                self._bring(number, file)
        self.at = None
        for link in self._request.get("links", ()):
            _link(link["path"], link["target"])
        for text in self._request.get("texts", ()):
            _write_text(text["path"], text["content"])
        if self._request.get("unpack"):
            place_build(self._request["unpack"], self._tell)

    def serve_on(self) -> None:
        """Until the input ends: the next host may still be taking."""
        if self._server is not None:
            threading.Event().wait()

    def _already(self, number: int, file: File) -> bool:
        if not is_there(file):
            return False
        self._tell("there", file=number)
        if self._server is not None:
            fd = os.open(file.place, os.O_RDONLY | os.O_CLOEXEC)
            self._server.offer(number, file, fd)
            self._server.has(number, list(range(file.chunk_count)))
            os.close(fd)
        return True

    def _bring(self, number: int, file: File) -> None:
        part = self._part(number, file)
        if part is None:  # another transfer brought it meanwhile
            return
        try:
            _need_room(part)
            self._watch(number, part)
            self._fill(number, part)
            digest = part.finish()
        except Wrong:
            if self._route == "download":  # else the other side knows which chunk it is
                part.forget()
            raise
        finally:
            part.close()
        chunks = [part.chunks[k] for k in range(file.chunk_count)]
        if self._request.get("root"):
            origin = self._request.get("origin", "")
            note_brought(self._request["root"], file, digest, chunks, origin)
        self._tell("whole", file=number, sha256=digest, chunks=chunks)

    def _watch(self, number: int, part: Part) -> None:
        """The next host hears of every chunk, and the other side of what need not come again."""
        server, tell = self._server, self._tell
        if part.chunks:
            count = sum(part.file.length(chunk) for chunk in part.chunks)
            tell("resumed", file=number, count=count)
        if server is not None:
            server.offer(number, part.file, part.fd)
            server.has(number, sorted(part.chunks))

        def written(chunk: int) -> None:
            tell("chunk", file=number, chunk=chunk, sha256=part.chunks[chunk])
            if server is not None:
                server.has(number, [chunk])
            else:
                drop_pages(part.fd, chunk * CHUNK, part.file.length(chunk))

        part.written = written

    def _fill(self, number: int, part: Part) -> None:
        if self._route == "peer" and self._peer is not None:
            try:
                return self._peer.fetch(number, part, self._tell)
            except peer_client.Lost as error:
                self._tell("lost", file=number, text=str(error)[:SHOWN])
                self._route = "receive"
        if self._route == "receive":
            return receive.receive(number, part, self._tell)
        access = Access(**self._request.get("access", {}))

        def came(count: int) -> None:
            self._tell("bytes", file=number, count=count)

        def say(text: str) -> None:
            self._tell("note", file=number, text=text[:SHOWN])

        return download.fetch(part, download.Fetching(access, came, say, self._pace))

    def _part(self, number: int, file: File) -> Part | None:
        told = False
        while True:
            try:
                return Part(file)
            except Busy:
                if not told:
                    self._tell("waiting", file=number)
                told = True
                time.sleep(POLL)
                if os.path.exists(file.place) and self._already(number, file):
                    return None


def _server(serving: peer_server.Serving, tell: Events) -> peer_server.PeerServer | None:
    """None where it cannot listen: the next host then gets its files from elsewhere."""
    try:
        return peer_server.PeerServer(serving)
    except OSError as error:
        place = f"{serving.address} port {serving.port}"
        tell("note", text=f"it cannot hand files on at {place}: {error.strerror or error}")
        return None


def _need_room(part: Part) -> None:
    place = os.fstatvfs(part.fd)
    free = place.f_bavail * place.f_frsize
    needed = part.file.size - os.fstat(part.fd).st_blocks * 512
    if needed > free:
        raise OSError(28, f"the disk has {free} bytes free, {needed} are needed", part.file.place)


def _end_with_input() -> None:
    """Its end says that nobody listens any more; what comes is for others to read."""

    def watch() -> None:
        poll = select.poll()
        poll.register(0, select.POLLRDHUP)
        poll.poll()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _go_on_alone(status: str, tell: Events) -> None:
    """In a session of its own, with nothing left of the connection."""
    os.makedirs(os.path.dirname(status), exist_ok=True)
    if os.fork():
        os._exit(0)
    os.setsid()
    tell("detached", pid=os.getpid())
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tell.detach(status)


def _link(path: str, target: str) -> None:
    """Atomically; one that is there gives way."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.xgen-{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)
    os.symlink(target, draft)
    os.replace(draft, path)
    sync_folder(os.path.dirname(path))


def _write_text(path: str, content: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.xgen-{os.getpid()}"
    with open(draft, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
    sync_folder(os.path.dirname(path))
