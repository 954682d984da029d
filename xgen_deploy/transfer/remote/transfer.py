"""Brings files to this host: from the web, from standard input, or from the host before it, and
hands them on to the next one meanwhile.

The request is a line of JSON on standard input; what happens comes as lines of JSON on standard
output. It ends with its input, unless it was told to go on alone.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
import threading
import time
from typing import Any

from xgen_deploy.transfer.remote import (
    detached,
    download,
    gentle,
    image_load,
    peer_client,
    peer_server,
    quantize,
    receive,
    repair,
    trial,
)
from xgen_deploy.transfer.remote.brought import is_noted, is_ours, note_brought, noted_chunks
from xgen_deploy.transfer.remote.engine_build import Unusable, place_build
from xgen_deploy.transfer.remote.events import Events
from xgen_deploy.transfer.remote.lifeline import Ended, Lifeline
from xgen_deploy.transfer.remote.measured import Measured
from xgen_deploy.transfer.remote.names import make_link, make_text
from xgen_deploy.transfer.remote.part import (
    CHUNK,
    Busy,
    File,
    Part,
    Wrong,
    chunks_in_place,
    digest_in_place,
    drop_pages,
    journal_of,
    part_path,
)
from xgen_deploy.transfer.remote.web_source import Access, Refused, Unavailable

POLL = 0.5
REPAIRS = 3
SHOWN = 1000
# Between tries of a source that does not answer, where nobody is there to try once more.
PAUSE = 60.0
LOOK = 1.0


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    os.write(1, b"XGEN-READY 1\n")
    tell = Events()
    os.umask(0o022)  # engines, which are other users, read what was brought
    gentle.be_gentle()
    if "jobs" in request:
        _go_on_alone(request, tell)
        os._exit(0)
    tell.keep_alive()
    transfer = Transfer(request, tell, Lifeline())
    try:
        _told(transfer, tell)
    except Ended:
        os._exit(1)
    transfer.serve_on()
    os._exit(0)


def _told(transfer: Transfer, tell: Events) -> bool:
    """Whether all of it is there; how it ended is told. Raises Ended."""
    try:
        transfer.run()
    except Wrong as error:
        tell("failed", text=str(error)[:SHOWN], file=transfer.at, wrong=True)
    except image_load.NotLoaded as error:
        tell("failed", text=str(error)[:SHOWN], thin=error.thin)
    except (Refused, Unavailable, Unusable, quantize.NotMade, trial.Failed) as error:
        tell("failed", text=str(error)[:SHOWN], file=transfer.at)
    except OSError as error:
        text = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        tell("failed", text=f"{text}{where}"[:SHOWN], file=transfer.at, errno=error.errno)
    except Ended:
        raise
    except Exception as error:
        tell("failed", text=f"{type(error).__name__}: {error}"[:SHOWN], file=transfer.at)
    else:
        tell("done")
        return True
    return False


def _go_on_alone(request: dict[str, Any], tell: Events) -> None:
    jobs = request["jobs"]
    sizes = [detached.size_of(job) for job in jobs]
    parent = detached.forked()
    try:
        alone = detached.Detached(request["state"], request["names"], sizes)
    except BlockingIOError:
        return tell("failed", text="a fetch goes on there already")
    except OSError as error:
        return tell("failed", text=f"{error.strerror or error} ({request['state']})"[:SHOWN])
    tell("detached")
    alone.let_go(parent)
    return alone.run(jobs, _alone)


def _alone(job: dict[str, Any], tell: Events) -> bool:
    """One transfer, with nobody who could give it anything."""
    transfer = Transfer(job, tell, None)
    good = _told(transfer, tell)
    transfer.end(tell)
    return good


class Transfer:
    """One request. `at` is the number of the file that is under way. Without a lifeline it goes on
    for as long as it takes."""

    def __init__(self, request: dict[str, Any], tell: Events, lifeline: Lifeline | None) -> None:
        self._tell = Measured(tell)
        self._request, self._lifeline = request, lifeline
        self._files = [File(**file) for file in request["files"]]
        self._pace = download.Pace(request.get("limit_rate") or 0)
        self._root: str | None = request.get("root")
        self._route: str = request["route"]  # download, receive or peer
        serving = request.get("serving")
        self._server = _server(peer_server.Serving(**serving), tell) if serving else None
        peer = request.get("peer")
        self._peer = peer_client.PeerClient(peer_client.Peer(**peer), self._pace) if peer else None
        self._left_peer = self._strayed = False
        self.at: int | None = None

    def run(self) -> None:
        """Raises what the routes raise."""
        for number, file in enumerate(self._files):
            self.at = number
            os.makedirs(os.path.dirname(file.place), exist_ok=True)
            self._tell("file", file=number)
            if not self._already(number, file):
                self._bring(number, file)
        self.at = None
        self._note_rate()
        for link in self._request.get("links", ()):
            make_link(link["path"], link["target"])
        for text in self._request.get("texts", ()):
            make_text(text["path"], text["content"])
        if self._request.get("unpack"):
            place_build(self._request["unpack"], self._tell)
        if self._request.get("quantize"):
            origin = self._request.get("origin", "")
            quantize.make(self._request["quantize"], self._root or "/", origin, self._tell)
        image = self._request.get("image")
        if image:
            image_load.load(image, self._tell)

    def _note_rate(self) -> None:
        """Not of one that was held back, nor where some of it came another way."""
        limited, began = self._request.get("limit_rate"), self._request["route"]
        if self._root and not limited and self._route == began and not self._strayed:
            self._tell.note(self._root, began)

    def serve_on(self) -> None:
        """Until the input ends: the next host may still be taking."""
        if self._server is not None:
            if self._lifeline is not None:
                self._lifeline.idle()
            threading.Event().wait()

    def end(self, tell: Events) -> None:
        """The same without an input: until the next host has all of it, or asks no more."""
        if self._peer is not None:
            self._peer.done()
        if self._server is not None:
            self._server.leave_once_taken()
            while not self._server.left():
                tell("serving")
                time.sleep(LOOK)

    def _already(self, number: int, file: File) -> bool:
        digest = digest_in_place(file)
        if digest is None:
            return False
        chunks: list[str] = []
        journal = journal_of(file)
        # What tells of a part that got its name, and was cut before or while that was noted.
        ours = bool(journal.lines) and not os.path.exists(part_path(file))
        if self._root and not is_noted(self._root, file):
            found, chunks = not ours and not is_ours(self._root, file), chunks_in_place(file)
            self._note(file, digest, chunks, found=found)
        elif self._root:
            chunks = noted_chunks(self._root, file)
        if ours:
            journal.remove()
        self._tell("there", file=number, chunks=chunks)
        if self._server is not None:
            fd = os.open(file.place, os.O_RDONLY | os.O_CLOEXEC)
            self._server.offer(number, file, fd)
            self._server.has(number, list(range(file.chunk_count)))
            os.close(fd)
        return True

    def _bring(self, number: int, file: File) -> None:
        _need_room(file)
        part = self._part(number, file)
        if part is None:  # another transfer brought it meanwhile
            return
        try:
            known = file.chunks or (noted_chunks(self._root, file) if self._root else [])
            if known:
                repair.take_over(part, known)
            resumed = len(part.chunks)
            self._watch(number, part)
            digest = self._whole(number, part)
            chunks = [part.chunks[k] for k in range(file.chunk_count)]
            self._note(file, digest, chunks)
            if file.sha256 is None and file.sha1 is None:
                name = os.path.basename(file.place)
                text = f"the SHA-256 of {name} is {digest}, which nobody had stated"
                self._tell("note", file=number, text=text)
            part.end()
        except Wrong:
            # Else the other side knows which chunk it is, and asks for that alone.
            if self._route == "download" or resumed == file.chunk_count:
                part.forget()
            raise
        finally:
            part.close()
        self._tell("whole", file=number, sha256=digest, chunks=chunks)

    def _whole(self, number: int, part: Part) -> str:
        """Its digest. What does not read as it was written (a power cut, a bad disk) comes once
        more. Raises Wrong."""
        for _ in range(REPAIRS):
            self._fill(number, part)
            try:
                return part.finish()
            except Wrong:
                damaged = repair.damaged_chunks(part)
                if not damaged:
                    raise
                part.forget(damaged)
                text = f"{len(damaged)} of {part.file.chunk_count} chunks got damaged on this disk"
                self._tell("note", file=number, text=text)
        raise OSError(5, "what is written there reads differently each time", part.file.place)

    def _note(self, file: File, digest: str, chunks: list[str], *, found: bool = False) -> None:
        if self._root:
            origin = self._request.get("origin", "")
            note_brought(self._root, file, digest, chunks, origin, found=found)

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
        while True:
            try:
                return self._take(number, part)
            except Unavailable as error:
                if self._lifeline is not None:
                    raise
                self._left_peer = False  # it may be back
                self._tell("note", file=number, text=str(error)[:SHOWN])
                time.sleep(PAUSE)

    def _take(self, number: int, part: Part) -> None:
        if self._peer is not None and self._route == "peer" and not self._left_peer:
            self._from_peer(number, part, self._peer)
        if self._route != "download" and self._lifeline is not None:
            return receive.receive(number, part, self._lifeline, self._tell)
        access = Access(**self._request.get("access", {}))

        def came(count: int) -> None:
            self._tell("bytes", file=number, count=count)

        def say(text: str) -> None:
            self._tell("note", file=number, text=text[:SHOWN])

        return download.fetch(part, download.Fetching(access, came, say, self._pace))

    def _from_peer(self, number: int, part: Part, peer: peer_client.PeerClient) -> None:
        """What is still missing then comes from the other side, or from the source. Raises
        Unavailable where it is to come from neither."""
        why = "what it sends is damaged"
        try:
            peer.fetch(number, part, self._tell)
        except peer_client.Lost as error:
            why = str(error)
            if self._lifeline is not None:
                self._tell("lost", file=number, text=why[:SHOWN])
                self._route = "receive"
        if self._lifeline is not None or not part.missing():
            return
        if not self._request.get("alone"):
            raise Unavailable(f"it waits for {peer.name}, which is to hand it on: {why}")
        self._left_peer = self._strayed = True
        text = f"{peer.name} does not hand it on ({why}): it comes from its source"
        self._tell("note", file=number, text=text[:SHOWN])

    def _part(self, number: int, file: File) -> Part | None:
        """None where another transfer brought the same meanwhile."""
        before, told = _identity(file.place), False
        while True:
            try:
                part = Part(file)
            except Busy:
                if not told:
                    self._tell("waiting", file=number)
                told = True
                time.sleep(POLL)
                continue
            try:
                if _identity(file.place) == before or not self._already(number, file):
                    return part
            except OSError:
                part.close()
                raise
            part.end()
            return None


def _server(serving: peer_server.Serving, tell: Events) -> peer_server.PeerServer | None:
    """None where it cannot listen: the next host then gets its files from elsewhere."""
    try:
        return peer_server.PeerServer(serving)
    except OSError as error:
        place = f"{serving.address} port {serving.port}"
        tell("note", text=f"it cannot hand files on at {place}: {error.strerror or error}")
        return None


def _need_room(file: File) -> None:
    """Before anything of it is written, so that a full disk is told with its numbers."""
    disk = os.statvfs(os.path.dirname(file.place))
    if not disk.f_blocks:  # a file system that does not tell
        return
    needed, free = file.size, disk.f_bavail * disk.f_frsize
    with contextlib.suppress(FileNotFoundError):
        needed -= os.stat(part_path(file)).st_blocks * 512
    if needed > free:
        text = f"the disk has {_size(free)} free, {_size(needed)} are needed"
        raise OSError(errno.ENOSPC, text, file.place)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _identity(path: str) -> tuple[int, int, int] | None:
    with contextlib.suppress(OSError):
        status = os.stat(path)
        return status.st_dev, status.st_ino, status.st_mtime_ns
    return None
