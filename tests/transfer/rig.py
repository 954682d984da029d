"""Transfers to hosts that are folders of this machine, each by the real program in a process of its
own, with small chunks and short patience.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.hub.fake_hub import COMMIT, FakeHub, sha256
from tests.ports import free_port
from tests.transport.eventually import eventually
from xgen_deploy.errors import XgenError
from xgen_deploy.state.transfer import TransferRequest, WantedFile
from xgen_deploy.transfer.chain import Hop, bring
from xgen_deploy.transfer.host_transfer import FromHere, TransferEvent
from xgen_deploy.transport.command import arguments
from xgen_deploy.transport.framing import STUB
from xgen_deploy.transport.launch import payload
from xgen_deploy.transport.local import LocalConnection
from xgen_deploy.transport.program import remote_program

CHUNK = 64 << 10
NAME = "some/tiny-GGUF"
MODEL = "tiny.gguf"
_SHORT = {
    "CHUNK = 16 << 20": f"CHUNK = {CHUNK}",
    "TRIES = 8": "TRIES = 4",
    "LONGEST_PAUSE = 30.0": "LONGEST_PAUSE = 0.05",
    "PATIENCE = 90.0": "PATIENCE = 1.0",
    "NOT_YET = 900.0": "NOT_YET = 5.0",
    "LONGEST = 900.0": "LONGEST = 2.0",
    "WAIT = 20.0": "WAIT = 0.5",
    "POLL = 0.5": "POLL = 0.05",
    "PAUSE = 60.0": "PAUSE = 0.2",
    "LOOK = 1.0": "LOOK = 0.1",
    "IDLE = 6 * 3600.0": "IDLE = 8.0",
}


def made(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def chunks_of(data: bytes) -> tuple[str, ...]:
    return tuple(sha256(data[at : at + CHUNK]) for at in range(0, len(data), CHUNK))


def shortened(program: bytes, more: Mapping[str, str] | None = None) -> bytes:
    for old, new in {**_SHORT, **(more or {})}.items():
        assert old.encode() in program, old
        program = program.replace(old.encode(), new.encode())
    return program


def flip(path: Path, at: int) -> None:
    """A bit, without a trace in the file's times."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 4]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def nowhere(number: int) -> Path:
    raise AssertionError(f"file {number} is not to come from here")


@dataclass
class Rig:
    """`data` is the file that the hub has; `told` what hosts said."""

    folder: Path
    hub: FakeHub
    data: bytes
    told: list[tuple[str, TransferEvent]] = field(default_factory=list)
    hops: int = 0

    def place(self, host: str = "a") -> Path:
        return self.folder / host / "models" / MODEL

    def file(self, host: str = "a", **more: Any) -> WantedFile:
        fields: dict[str, Any] = {
            "place": str(self.place(host)),
            "size": len(self.data),
            "sha256": sha256(self.data),
            "url": f"{self.hub.url}/{NAME}/resolve/{COMMIT}/{MODEL}",
        }
        return WantedFile(**{**fields, **more})

    def request(self, host: str = "a", **more: Any) -> TransferRequest:
        files = more.pop("files", None) or (self.file(host),)
        root = str(self.place(host).parent)
        return TransferRequest(files=files, **{"route": "download", "root": root, **more})

    def hop(self, host: str = "a", **more: Any) -> Hop:
        """Hosts have an address each, and all of them come from 127.0.0.1."""
        self.hops += 1
        own = {
            "address": more.pop("address", f"127.0.0.{1 + self.hops}"),
            "port": more.pop("port", None) or free_port(),
            "comes_from": more.pop("comes_from", ("127.0.0.1",)),
        }
        connection = LocalConnection(host, python=sys.executable, become="never", password=None)
        return Hop(connection=connection, request=self.request(host, **more), **own)

    def bring(
        self, hops: Sequence[Hop], from_here: FromHere = nowhere
    ) -> Mapping[str, XgenError | None]:
        return bring(hops, from_here, lambda host, event: self.told.append((host, event)))

    def events(self, kind: str, host: str | None = None) -> list[TransferEvent]:
        return [e for h, e in self.told if e.event == kind and host in (None, h)]

    def came(self, host: str) -> int:
        """Bytes."""
        return sum(event.count for event in self.events("bytes", host))

    def killed_at(self, at: int, host: str = "a") -> None:
        """A transfer, with all bytes up to there taken and as many chunks noted as they make."""
        running: list[Running] = []

        def kill(path: str, start: int) -> None:
            if start >= at and running[0].process.poll() is None:
                assert eventually(lambda: len(self.noted(host)) == at // CHUNK)
                running[0].process.send_signal(signal.SIGKILL)
                running[0].process.wait(60)

        self.hub.before = kill
        running.append(Running.start(self.request(host)))
        assert running[0].process.wait(60) == -signal.SIGKILL
        self.hub.before = lambda *_: None

    def part(self, host: str = "a") -> Path:
        folder = self.place(host).parent
        return next(p for p in folder.iterdir() if p.name.endswith(".xgen-part"))

    def journal(self, host: str = "a") -> Path:
        part = self.part(host)
        return part.with_name(part.name + ".chunks")

    def noted(self, host: str = "a") -> list[int]:
        """The chunks in the journal."""
        lines: list[str] = []
        with suppress(StopIteration, FileNotFoundError):
            lines = self.journal(host).read_text().splitlines()
        return [line["chunk"] for line in map(json.loads, lines) if "chunk" in line]

    def litter(self, host: str = "a") -> list[str]:
        """What lies there besides the file and the notes."""
        folder = self.place(host).parent
        names = {p.name for p in folder.iterdir()} if folder.exists() else set()
        return sorted(names - {MODEL, ".xgen"})


@dataclass
class Running:
    """The program, without the side that drives it."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, request: TransferRequest, **shorter: str) -> Running:
        more = {f"SILENCE = {old}": f"SILENCE = {new}" for old, new in shorter.items()}
        argv = arguments(STUB, python=sys.executable, become="never")
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        running = cls(process)
        line = json.dumps(asdict(request)).encode() + b"\n"
        running.send(payload(shortened(remote_program("transfer"), more)) + line)
        return running

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def next(self, kind: str) -> dict[str, Any]:
        """The next event of this kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{") and (event := json.loads(line))["event"] == kind:
                return dict(event)
        raise AssertionError(f"it ended without `{kind}`")

    def wait(self, seconds: float) -> None:
        """Raises TimeoutError where it still runs then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def end(self) -> int:
        """Its exit status, once its input ended."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(60)
