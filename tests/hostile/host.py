"""A host that says whatever a test wants, behind the tool's own transport interface.

The seam is as low as the control side has one: what a host sends comes through `observe` and a
session's answers, and what the tool does to a host goes through a session's calls.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from xgen_deploy.errors import UnreachableError
from xgen_deploy.transport.base import Completed, HostError, Reply

Document = dict[str, Any]

_COMPLETION = json.dumps({"choices": [{"text": "a"}], "data": [{}], "results": [{}]}).encode()


class FakeHost:
    """`document` is what its probe answers, `files` what a session reads there. `touched` are the
    paths that were written or removed, `ran` the commands. Its engines answer at once. `before` is
    asked first for what a command prints, by its arguments and input.
    """

    def __init__(self, name: str, document: Document, files: Mapping[str, bytes]) -> None:
        self.name = name
        self.document = document
        self.raw: bytes | None = None  # in place of the document
        self.files = dict(files)
        self.touched: list[str] = []
        self.removed_within: list[tuple[str, str]] = []
        self.ran: list[tuple[str, ...]] = []
        self.gateway_starts = 0
        self.full = False  # its disk
        self.server_states: dict[str, str] = {}  # what its gateway's process was told
        self.before: Callable[[tuple[str, ...], str], str | None] = lambda *_: None

    def connect(self) -> None:
        """There is nothing to connect to."""

    def close(self) -> None:
        """Nor to close."""

    def observe(self, *_: object, **__: object) -> bytes:
        return json.dumps(self.document).encode() if self.raw is None else self.raw

    def follow(self, *_: object, **__: object) -> int:
        raise UnreachableError(self.name, "it cannot be followed")

    def gateway_says(self, command: str) -> str:
        """As HAProxy with the configuration that lies here, every server up."""
        config = next(c for p, c in self.files.items() if p.endswith("haproxy.cfg")).decode()
        if command == "show info":
            described = next(li for li in config.splitlines() if "description" in li)
            digest = described.split()[-1].strip("'")
            return f"Version: 2.6.12\nPid: {self.gateway_starts}\ndescription: xgen {digest}\n"
        rows = ["# pxname,svname,qcur,scur,status,type,check_status,check_desc,check_code"]
        pool = ""
        for words in (li.split() for li in config.splitlines() if li.strip()):
            if words[0] == "backend":
                pool = words[1]
                rows.append(f"{pool},BACKEND,0,0,UP,1,,,")
            if words[0] == "server":
                rows.append(f"{pool},{words[1]},0,0,UP,2,L7OK,,200")
        return "\n".join(rows)

    def session(self) -> FakeSession:
        return FakeSession(self)


class FakeSession:
    """Remembers what it was told to do."""

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", **_: object) -> Completed:
        self._host.ran.append(tuple(argv))
        said = self._host.before(tuple(argv), stdin.decode())
        if said is not None:
            return Completed(0, said, "")
        return Completed(0, self._printed(argv), "")

    def write_file(self, path: str, content: bytes, **_: object) -> None:
        if self._host.full:
            raise HostError(self._host.name, f"writing {path} failed: No space left on device")
        self._host.touched.append(path)
        self._host.files[path] = content

    def make_dir(self, path: str, **_: object) -> None:
        self._host.touched.append(path)

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        content = self._host.files.get(path)
        return None if content is None else content[offset : offset + limit]

    def remove(self, path: str, *, within: str) -> bool:
        self._host.touched.append(path)
        self._host.removed_within.append((path, within))
        return self._host.files.pop(path, None) is not None

    def request(self, method: str, *_: object, **__: object) -> Reply:
        return Reply(200, _COMPLETION if method == "POST" else b"{}")

    def ask_socket(self, path: str, sent: bytes, **_: object) -> bytes:
        asked = sent.decode().strip()
        self._host.ran.append(("ask-socket", path, asked))
        said = self._host.before(("ask-socket", path), asked)
        if said is not None:
            return said.encode()
        if asked.startswith("set server"):
            for command in asked.split(";"):
                self._host.server_states[command.split()[2]] = command.split()[4]
            return b""
        return self._host.gateway_says(asked).encode()

    def lock(self, *_: object, **__: object) -> None:
        """It is always free."""

    def close(self) -> None:
        """Nothing is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _printed(self, argv: Sequence[str]) -> str:
        if argv[0] == "mv":
            self._move(*argv[-2:])
        if argv[0] == "ls":
            folder = argv[-1].rstrip("/") + "/"
            names = (p.removeprefix(folder) for p in self._host.files if p.startswith(folder))
            return "\n".join(n for n in names if "/" not in n)
        if argv[:2] == ["systemctl", "show"]:
            return (
                "ActiveState=active\nSubState=running\nNRestarts=0\nInvocationID=run-1\n"
                "LoadState=loaded\nNeedDaemonReload=no\nUnitFileState=enabled\nDropInPaths=\n"
            )
        if argv[0].startswith("systemctl") and "gateway" in argv[-1]:
            self._host.gateway_starts += 1
            self._host.server_states.clear()
        return ""

    def _move(self, source: str, target: str) -> None:
        """A file, or a folder with all that is in it."""
        self._host.touched += [source, target]
        files = self._host.files
        for path in [p for p in files if p == source or p.startswith(f"{source}/")]:
            files[target + path.removeprefix(source)] = files.pop(path)
