"""The control side of agent.py: calls from several threads over one process."""

import itertools
import json
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Self

from xgen_deploy.errors import LockedError, UnreachableError
from xgen_deploy.transport.base import Completed, HostError, Reply
from xgen_deploy.transport.process import Process

READY = b"XGEN-READY 1"

_PING_EVERY = 5.0
_SILENCE = 20.0
_FILE_TIMEOUT = 60.0
_MARGIN = 15.0
_OWNER_FIELDS = 8
_OWNER_TEXT = 120


class AgentSession:
    """A Session over a process that runs agent.py. `rest` is what it said after READY."""

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
            f"running {argv[0]}",
            timeout + _MARGIN,
            op="run",
            argv=list(argv),
            timeout=timeout,
            stdin=b64encode(stdin).decode(),
            env=dict(env or {}),
        )
        return Completed(got["returncode"], got["stdout"], got["stderr"])

    def write_file(
        self, path: str, content: bytes, *, mode: int, uid: int = 0, gid: int = 0
    ) -> None:
        self._ask(
            f"writing {path}",
            op="write_file",
            path=path,
            content=b64encode(content).decode(),
            mode=mode,
            uid=uid,
            gid=gid,
        )

    def make_dir(self, path: str, *, mode: int, uid: int = 0, gid: int = 0) -> None:
        self._ask(
            f"making the folder {path}", op="make_dir", path=path, mode=mode, uid=uid, gid=gid
        )

    def read_file(self, path: str, *, offset: int = 0, limit: int = 1 << 20) -> bytes | None:
        got = self._ask(f"reading {path}", op="read_file", path=path, offset=offset, limit=limit)
        return None if got["content"] is None else b64decode(got["content"])

    def remove(self, path: str, *, within: str) -> bool:
        got = self._ask(f"removing {path}", op="remove", path=path, root=within)
        return bool(got["removed"])

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
    ) -> Reply:
        got = self._ask(
            f"a request to {address}:{port}{path}",
            timeout + _MARGIN,
            op="request",
            method=method,
            address=address,
            port=port,
            path=path,
            body=b64encode(body).decode(),
            headers=dict(headers or {}),
            timeout=timeout,
        )
        return Reply(got["status"], b64decode(got["body"]))

    def lock(self, path: str, owner: Mapping[str, str], *, wait: float = 0.0) -> None:
        self._ask(
            f"taking the lock {path}",
            wait + _MARGIN,
            op="lock",
            path=path,
            owner=dict(owner),
            wait=wait,
        )

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

    def _ask(self, doing: str, within: float = _FILE_TIMEOUT, **request: Any) -> dict[str, Any]:
        answer: Future[dict[str, Any]] = Future()
        number = next(self._numbers)
        with self._lock:
            if self._lost:
                raise self._unreachable(doing, self._lost)
            self._waiting[number] = answer
        try:
            self._send(dict(request, id=number))
            got = answer.result(within)
        except TimeoutError:
            raise self._unreachable(doing, f"no answer within {within:.0f} s") from None
        except ConnectionError as error:
            raise self._unreachable(doing, str(error)) from None
        finally:
            with self._lock:
                self._waiting.pop(number, None)
        return self._result(doing, got)

    def _result(self, doing: str, got: dict[str, Any]) -> dict[str, Any]:
        match got.get("kind"):
            case None:
                result: dict[str, Any] = got["ok"]
                return result
            case "locked":
                raise LockedError(f"{self._host}: another apply has the lock: {_owner(got)}")
        raise HostError(self._host, f"{doing} failed there: {got['error']}")

    def _unreachable(self, doing: str, why: str) -> UnreachableError:
        return UnreachableError(
            self._host,
            f"the connection was lost while {doing} ({why})",
            "What was under way there ends within 30 s. Run the same command again.",
        )

    def _send(self, request: dict[str, Any]) -> None:
        line = json.dumps(request).encode() + b"\n"
        with self._sending:
            self._process.send(line)

    def _listen(self, rest: bytes) -> None:
        try:
            self._receive(rest)
        except (ConnectionError, TimeoutError) as error:
            self._lose(str(error) or "it went silent")
            self._process.close()

    def _receive(self, rest: bytes) -> None:
        heard = pinged = time.monotonic()
        while True:
            *lines, rest = rest.split(b"\n")
            for line in lines:
                self._deliver(line)
            now = time.monotonic()
            if now - heard > _SILENCE:
                raise TimeoutError(f"nothing heard for {_SILENCE:.0f} s")
            if now - pinged >= _PING_EVERY:
                pinged = now
                self._send({"id": 0, "op": "ping"})
            try:
                got = self._process.read(_PING_EVERY)
            except TimeoutError:
                continue
            heard = time.monotonic()
            rest += got.out
            if got.ended:
                raise ConnectionError("the program there ended")

    def _deliver(self, line: bytes) -> None:
        try:
            got = json.loads(line)
        except ValueError:
            return
        with self._lock:
            answer = self._waiting.get(got.get("id"))
        if answer is not None and not answer.done():
            answer.set_result(got)

    def _lose(self, why: str) -> None:
        with self._lock:
            self._lost = self._lost or why
            waiting = list(self._waiting.values())
        for answer in waiting:
            if not answer.done():
                answer.set_exception(ConnectionError(why))


def _owner(got: dict[str, Any]) -> str:
    """What the owner wrote of itself: a host's text, cut short."""
    try:
        owner = json.loads(got["error"])
        listed = list(owner.items())[:_OWNER_FIELDS]
    except (ValueError, AttributeError, RecursionError):
        return "its owner is not recorded"
    return ", ".join(f"{key} {value}"[:_OWNER_TEXT] for key, value in listed)
