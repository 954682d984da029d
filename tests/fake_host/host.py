"""A host in memory, behind the tool's own transport interface: files, systemd, engines, HAProxy.

The seam is as low as the control side has one: what a host says comes through `observe` and a
session's answers, and what the tool does to a host goes through a session's calls.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tests.fake_host.description import describe
from tests.fake_host.engine import ANSWER, Engine, EngineProcess
from tests.fake_host.haproxy import FakeHaproxy
from tests.fake_host.monitoring import Watcher, watcher
from tests.fake_host.put_back import put_back
from tests.fake_host.reporter import FakeReporter
from tests.fake_host.session import FakeSession
from tests.fake_host.systemd import OK, UNIT_DIR, Process, Systemd
from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.gateway_paths import config_file, keys_file
from xgen_deploy.state.layout import system_layout
from xgen_deploy.transport.base import Completed, HostError, Reply, Take, WebRequest
from xgen_deploy.transport.process import Output

Document = dict[str, Any]
Before = Callable[[tuple[str, ...], str], str | Completed | None]
LAYOUT = system_layout("p")
_REFUSED = Reply(0, b"Connection refused")
_AUDIT = json.dumps({"login": [None, None, None], "file": None, "journal": None})


class FakeHost:
    """`gpus` as in tests/render/hosts.yaml. `engines` says how engines behave, by a text in their
    unit: the first that is in it; others are good. `peers` are all hosts by their address.

    `cards` are its GPUs now, where they are not those of its kind. `bytes_read` is what any process
    there has read.
    `lock_facts` is what the probe tells of the lock; `noted` are operations that its file named,
    None between two.

    What a test looks at: `files`, `calls` (of sessions), `ran` (commands), `touched` (paths).
    What a test may set: `document` or `raw` in place of what the probe would tell; `before`, asked
    first for what a command prints, or how it ends, by its words and input; `lost_at`, the number
    of the call at which the connection is gone (`killed`: the tool itself is); `disk_left`, how
    many more writes there is room for; `gone`, models and builds that were taken away;
    `reports`, what its reporter says, line by line; `watchdog`, what is told of it; `machine`,
    further facts of the host, `model_facts` of a model.
    """

    def __init__(self, name: str, kind: str = "cpu") -> None:
        self.name = name
        self.kind = kind
        self.peers: Mapping[str, FakeHost] = {}
        self.engines: dict[str, Engine] = {}
        self.memory_free_mb: int | None = None
        self.document: Document = {}
        self.raw: bytes | None = None
        self.last_request = b""
        self.before: Before = lambda *_: None
        self.lost_at = 0
        self.killed = False
        self.disk_left: int | None = None
        self.watchdog: Document = {}
        self.machine: Document = {}
        self.model_facts: dict[str, Document] = {}
        self.locked_by = ""
        self.bytes_read: int | None = None
        self.cards: list[Document] | None = None
        self.lock_facts: Document | None = None
        self.noted: list[str | None] = []
        self.reports: list[Document] = []
        self.reporters = 0
        self.unreachable = ""
        self.gone: set[str] = set()
        self.transient: set[str] = set()
        self.files: dict[str, bytes] = {}
        self.modes: dict[str, int] = {}
        self.folders = {UNIT_DIR}
        self.systemd = Systemd(self.files, self._start)
        self.gateway_starts = 0
        self.forget()

    def forget(self) -> None:
        """What was done so far is not looked at any more."""
        self.calls: list[str] = []
        self.streamed: list[bytes] = []
        self.touched: list[str] = []
        self.removed_within: list[tuple[str, str]] = []
        self.ran: list[tuple[str, ...]] = []

    # What the tool sees: a connection.

    def connect(self) -> None:
        if self.unreachable:
            raise UnreachableError(self.name, self.unreachable)

    def close(self) -> None:
        """Nothing is held."""

    def observe(self, _program: bytes, request: bytes, **_: object) -> bytes:
        self.last_request = request
        if self.raw is not None:
            return self.raw
        return json.dumps(self.document or describe(self, json.loads(request))).encode()

    def follow(self, argv: Sequence[str], *, take: Take | None = None, **_: object) -> int:
        self.connect()
        done = self.run(tuple(argv))
        if take is not None:
            take(done.stdout.encode())
        else:
            print(done.stdout)
        return done.returncode

    def stream(self, request: WebRequest, take: Take) -> None:
        self.connect()
        key = request.headers.get("Authorization", "").removeprefix("Bearer ") or None
        self.streamed.append(request.body)
        self.calls.append(f"stream {request.address}:{request.port}{request.path}")
        reply = self.request(request.method, request.port, request.path, request.body, key)
        take(json.dumps({"status": reply.status, "error": ""}).encode() + b"\n" + reply.body)

    @contextmanager
    def report(self, _program: bytes, _request: bytes) -> Iterator[tuple[FakeReporter, Output]]:
        self.connect()
        self.reporters += 1
        try:
            yield FakeReporter(self), Output()
        except ConnectionError as error:
            raise UnreachableError(self.name, f"the connection was lost ({error})") from None

    def session(self) -> FakeSession:
        self.connect()
        return FakeSession(self)

    # What happens on the host.

    def lost(self) -> None:
        if self.killed:
            raise KeyboardInterrupt
        raise UnreachableError(self.name, "the connection was lost")

    def lock_was_freed(self) -> None:
        """Guards wait for that."""
        for name, command in tuple(self.systemd.guards.items()):
            del self.systemd.guards[name]
            self._guarded(command)

    def run(self, argv: tuple[str, ...], stdin: str = "") -> Completed:
        self.ran.append(argv)
        said = self.before(argv, stdin)
        if said is None:
            return self._run(argv)
        return Completed(0, said, "") if isinstance(said, str) else said

    def ask_socket(self, path: str, asked: str) -> bytes:
        argv = ("ask-socket", path)
        self.ran.append((*argv, asked))
        said = self.before(argv, asked)
        if isinstance(said, str):
            return said.encode()
        if self.haproxy is None:
            raise HostError(self.name, f"{path}: Connection refused")
        return self.gateway_says(asked).encode()

    def _run(self, argv: tuple[str, ...]) -> Completed:
        match argv[0]:
            case "systemctl" | "systemd-run" | "journalctl":
                return self.systemd.run(argv)
            case "mv" | "cp":
                return self._move(*argv[-2:], keep=argv[0] == "cp")
            case "chmod" if argv[2] in self.files:
                self.touched.append(argv[2])
                self.modes[argv[2]] = int(argv[1], 8)
            case "ls":
                return Completed(0, "\n".join(self._names(argv[-1])), "")
            case "grep":  # apply/history.py
                below = [p for p in sorted(self.files) if p.startswith(f"{argv[-1]}/")]
                texts = (f"{p}:{self.files[p].decode()}" for p in below)
                return Completed(0, "".join(f"{text}\n" for text in texts), "")
            case "test":
                return Completed(0 if argv[-1] in {*self.files, *self.folders} else 1, "", "")
            case "sh" if argv[3:4] == ("put-back",):
                if argv[4] in self.files:  # apply/adoption.py
                    self.systemd.run(("systemctl", "disable", "--now", argv[5]))
                    self._run(argv[6:])
            case "sh" if argv[1] == LAYOUT.put_back_script:
                return put_back(self, argv[2:])
            case "rmdir":
                if not self._names(argv[-1]):
                    self.take_away(argv[-1])
        if "xgen_deploy.audit" in " ".join(argv):
            return Completed(0, _AUDIT, "")
        return OK

    def _guarded(self, command: tuple[str, ...]) -> None:
        """What a guard does: the put-back, or a server's name and state for HAProxy."""
        if command[-1].startswith("set server"):
            self.gateway_says(command[-1])
        else:
            self._run(command)

    def gateway_says(self, commands: str) -> str:
        return self.haproxy.ask(commands) if self.haproxy else ""

    @property
    def haproxy(self) -> FakeHaproxy | None:
        """The gateway's process, where it runs."""
        return next((p for _, p in self.systemd.running() if isinstance(p, FakeHaproxy)), None)

    @property
    def server_states(self) -> dict[str, str]:
        """What the gateway's process was told of its servers."""
        return dict(self.haproxy.told) if self.haproxy else {}

    def request(self, method: str, port: int, path: str, body: bytes, key: str | None) -> Reply:
        if self.haproxy is not None and port == self.haproxy.port:
            return self.haproxy.models(key) if method == "GET" else self.haproxy.request(body, key)
        for _, watching in self.systemd.running():
            if isinstance(watching, Watcher) and watching.port == port:
                return watching.request(method, path, key)
        for engine in self.running():
            if engine.port == port:
                return engine.request(method, path, key, body or b"{}")
        return _REFUSED

    def running(self) -> list[EngineProcess]:
        return [p for _, p in self.systemd.running() if isinstance(p, EngineProcess)]

    def _start(self, name: str, text: str, run: str) -> Process | None:
        """A unit's process; a gateway's reads its configuration anew."""
        if name == f"{LAYOUT.service('gateway')}.service":
            self.gateway_starts += 1
            config, keys = (self.files[p(LAYOUT)].decode() for p in (config_file, keys_file))
            return FakeHaproxy(config, keys, self.gateway_starts, self._reach)
        if (watching := watcher(self, LAYOUT, name, text, run)) is not None:
            return watching
        if not _is_instance(name):
            return None
        engine = next((e for part, e in self.engines.items() if part in text), Engine())
        instance = name.removeprefix(LAYOUT.service("")).removesuffix(".service")
        key = self.files.get(f"{LAYOUT.settings(instance)}/api-key")
        return EngineProcess(engine, text, key.decode().strip() if key else None, run)

    def _reach(self, address: str, port: int, method: str, key: str | None) -> Reply:
        """What the gateway here gets from an engine, wherever it is."""
        host = self.peers.get(address, self)
        path = "/health" if method == "GET" else "/v1/completions"
        return host.request(method, port, path, ANSWER, key)

    # Its disk.

    def put(self, path: str, content: bytes, mode: int) -> None:
        self.touched.append(path)
        self.files[path], self.modes[path] = content, mode
        self._with_parents(posixpath.dirname(path))

    def make_folder(self, path: str) -> None:
        self.touched.append(path)
        self._with_parents(path)

    def _with_parents(self, path: str) -> None:
        while path != "/":
            self.folders.add(path)
            path = posixpath.dirname(path)

    def use_disk(self, path: str) -> None:
        """Raises HostError where there is no room left."""
        if self.disk_left is not None:
            self.disk_left -= 1
            if self.disk_left < 0:
                raise HostError(self.name, f"writing {path} failed: No space left on device")

    def take_away(self, path: str) -> bool:
        """A file, or a folder with all that is in it."""
        self.touched.append(path)
        gone = [p for p in self.files if _beneath(p, path)]
        for one in gone:
            del self.files[one]
        emptied = {p for p in self.folders if _beneath(p, path)}
        self.folders -= emptied
        return bool(gone or emptied)

    def _move(self, source: str, target: str, *, keep: bool) -> Completed:
        if source not in {*self.files, *self.folders}:
            return Completed(1, "", f"cannot stat '{source}': No such file or directory")
        self.touched += [target] if keep else [source, target]
        for path in [p for p in self.files if _beneath(p, source)]:
            moved = target + path.removeprefix(source)
            self.put(moved, self.files[path], self.modes[path])
        if source in self.folders:
            self.make_folder(target)
        if not keep:
            self.take_away(source)
        return OK

    def _names(self, folder: str) -> list[str]:
        inside = (p for p in (*self.files, *self.folders) if posixpath.dirname(p) == folder)
        return sorted(map(posixpath.basename, inside))


def _is_instance(unit: str) -> bool:
    """Or what was started by hand; the watchdog's units have a dot behind the project."""
    exporter = f"{LAYOUT.service('exporter')}.service"
    return unit.endswith(".service") and not unit.startswith("xgen-p.") and unit != exporter


def _beneath(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
