"""The control side of remote/agent.py: calls from several threads over one process."""

import itertools
import json
import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.errors import LockedError, UnreachableError
from xgen_deploy.faults import fault_of
from xgen_deploy.limits import ANSWER
from xgen_deploy.transport.base import Completed, HostError, Reply
from xgen_deploy.transport.process import Lines, Output, Process

READY = b"XGEN-READY 1"

_PING_EVERY = 5.0
_SILENCE = 20.0
_FILE_TIMEOUT = 60.0
_MARGIN = 15.0
_OWNER = 1 << 16
_OWNER_FIELDS = 8
_OWNER_TEXT = 120
_SHOWN = 2000

A = TypeVar("A", bound="Nothing")


class Nothing(BaseModel):
    """The agent's answer to a request without a result; the others add theirs."""

    model_config = ConfigDict(frozen=True)


class Ran(Nothing):
    returncode: int
    stdout: str
    stderr: str


class Content(Nothing):
    content: Base64Bytes | None


class Removed(Nothing):
    removed: bool


class Answered(Nothing):
    answer: Base64Bytes


class Replied(Nothing):
    status: int
    body: Base64Bytes


class BytesRead(Nothing):
    bytes: int | None


class AgentSession:
    """A Session over a process that runs the agent. `rest` is its output after READY."""

    def __init__(self, host: str, process: Process, rest: bytes = b"") -> None:
        self._host = host
        self._process = process
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._lost: str | None = None
        threading.Thread(target=self._listen, args=(rest,), daemon=True).start()

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        got = self._ask(
            Ran,
            f"running {argv[0]}",
            timeout + _MARGIN,
            op="run",
            argv=list(argv),
            timeout=timeout,
            stdin=b64encode(stdin).decode(),
            env=dict(env or {}),
        )
        return Completed(got.returncode, got.stdout, got.stderr)

    def write_file(
        self, path: str, content: bytes, *, mode: int, uid: int = 0, gid: int = 0
    ) -> None:
        self._ask(
            Nothing,
            f"writing {path}",
            op="write_file",
            path=path,
            content=b64encode(content).decode(),
            mode=mode,
            uid=uid,
            gid=gid,
        )

    def make_dir(self, path: str, *, mode: int, uid: int = 0, gid: int = 0) -> None:
        doing = f"creating the folder {path}"
        self._ask(Nothing, doing, op="make_dir", path=path, mode=mode, uid=uid, gid=gid)

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        doing = f"reading {path}"
        got = self._ask(Content, doing, op="read_file", path=path, offset=offset, limit=limit)
        return got.content

    def remove(self, path: str, *, within: str) -> bool:
        got = self._ask(Removed, f"removing {path}", op="remove", path=path, root=within)
        return got.removed

    def request(
        self,
        method: str,
        address: str,
        port: int,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        timeout: float,
        tls: bool = False,
    ) -> Reply:
        got = self._ask(
            Replied,
            f"sending a request to {address}:{port}{path}",
            timeout + _MARGIN,
            op="request",
            method=method,
            address=address,
            port=port,
            path=path,
            body=b64encode(body).decode(),
            headers=dict(headers or {}),
            timeout=timeout,
            tls=tls,
        )
        return Reply(got.status, got.body)

    def ask_socket(self, path: str, sent: bytes, *, timeout: float) -> bytes:
        got = self._ask(
            Answered,
            f"asking the socket {path}",
            timeout + _MARGIN,
            op="ask_socket",
            path=path,
            sent=b64encode(sent).decode(),
            timeout=timeout,
        )
        return got.answer

    def bytes_read(self, pid: int) -> int | None:
        return self._ask(BytesRead, f"looking at process {pid}", op="bytes_read", pid=pid).bytes

    def lock(self, path: str, owner: Mapping[str, str], *, wait: float = 0.0) -> None:
        self._ask(
            Nothing,
            f"taking the lock {path}",
            wait + _MARGIN,
            op="lock",
            path=path,
            owner=dict(owner),
            wait=wait,
        )

    def note_operation(self, lock: str, operation: str | None) -> None:
        self._ask(Nothing, f"writing {lock}", op="note", path=lock, operation=operation)

    def close(self) -> None:
        self._lose("the session was closed")
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, kind: type[A], doing: str, within: float = _FILE_TIMEOUT, **request: Any) -> A:
        answer: Future[dict[str, Any]] = Future()
        number = next(self._numbers)
        with self._lock:
            if self._lost:
                raise self._connection_lost(doing, self._lost)
            self._waiting[number] = answer
        try:
            self._send(dict(request, id=number))
            got = answer.result(within)
        except TimeoutError:
            raise self._connection_lost(doing, f"no answer within {within:.0f} s") from None
        except ConnectionError as error:
            raise self._connection_lost(doing, str(error)) from None
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        return self._result(kind, doing, got)

    def _result(self, kind: type[A], doing: str, got: dict[str, Any]) -> A:
        said = str(got.get("error"))
        match got.get("kind"):
            case None:
                try:
                    return kind.model_validate(got.get("ok"))
                except ValidationError:
                    raise self._connection_lost(doing, "its answer is malformed") from None
            case "locked":
                raise LockedError(self._host, f"another apply has the lock: {_owner(said)}")
        raise HostError(self._host, f"{doing} failed: {said[:_SHOWN]}")

    def _connection_lost(self, doing: str, why: str) -> UnreachableError:
        return UnreachableError(
            self._host,
            f"the connection was lost while {doing} ({why})",
            "Whatever was running there ends within 30 s. Run the same command again.",
        )

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        with self._sending:
            self._process.send(line)

    def _listen(self, rest: bytes) -> None:
        try:
            self._receive(rest)
        except Exception as error:  # noqa: BLE001 - callers must not wait for ever
            known = isinstance(error, (ConnectionError, TimeoutError))
            why = str(error) if known else fault_of(self._host, error).reason
            self._lose(why or "it went silent")
            self._process.close()

    def _receive(self, rest: bytes) -> None:
        heard = pinged = time.monotonic()
        lines = Lines(ANSWER)
        got = Output(out=rest)
        while True:
            for line in lines.add(got.out):
                self._deliver(line)
            if got.ended:
                raise ConnectionError("the program there ended")
            now = time.monotonic()
            if now - heard > _SILENCE:
                raise TimeoutError(f"nothing heard for {_SILENCE:.0f} s")
            if now - pinged >= _PING_EVERY:
                pinged = now
                self._send({"id": 0, "op": "ping"})
            try:
                got = self._process.read(_PING_EVERY)
            except TimeoutError:
                got = Output()
                continue
            heard = time.monotonic()

    def _deliver(self, line: bytes) -> None:
        try:
            got = read_json(line, ANSWER)
        except ValueError:
            return
        number = got.get("id") if isinstance(got, dict) else None
        with self._lock:
            answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(got)

    def _lose(self, why: str) -> None:
        with self._lock:
            self._lost = self._lost or why
            waiting = list(self._waiting.values())
        for answer in waiting:
            if not answer.done():
                answer.set_exception(ConnectionError(why))


def _owner(said: str) -> str:
    """The owner's own description: text from a host, cut short."""
    try:
        listed = list(read_json(said, _OWNER).items())[:_OWNER_FIELDS]
    except (ValueError, AttributeError):
        return "its owner is not recorded"
    return ", ".join(f"{key} {value}"[:_OWNER_TEXT] for key, value in listed)
