"""What a gateway's memory comes to while clients mean it ill.

    python -m bench.gateway_memory

A real HAProxy on this machine with the configuration that `apply` writes, in front of an engine
that takes everything and answers nothing. Each attack opens its connections, sends what it sends,
and keeps them. Needs haproxy and `ulimit -n` of 10,000.
"""

import argparse
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.gateway.running_gateway import CLIENT, CLIENT_KEY, RunningGateway
from xgen_deploy.gateway.config import Limits
from xgen_deploy.state.endpoint import Endpoint

MIB = 1 << 20
FILES = 10_000
_SETTLE = 1.0
_LONGEST = 60.0
_AT_ONCE = 32
H2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)


@dataclass(frozen=True)
class Row:
    """`memory` is the gateway's largest resident set in MiB while `connections` were tried, `held`
    how many of them it kept."""

    attack: str
    connections: int
    held: int
    memory: float


def head(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def body(size: int, path: str = "/v1/completions", key: str = CLIENT) -> bytes:
    """A request whose body is one byte short."""
    text = b'{"model": "m", "pad": "' + b"x" * (size - 25)
    return head(path, f"Authorization: Bearer {key}", f"Content-Length: {len(text) + 1}") + text


WHOLE = MIB - 100
ATTACKS: dict[str, bytes] = {
    "nothing sent": b"",
    "a body of 1 MiB, without its end": body(WHOLE),
    "a body of 1 MiB, whole": body(WHOLE) + b"}",
    "the same without the key": body(WHOLE, key="wrong"),
    "a body of 16 MiB by /m/MODEL/": body(16 * MIB, "/m/m/v1/completions"),
    "a header of 1 MiB, without its end": head("/v1/completions")[:-2] + b"a: " + b"x" * WHOLE,
    "an answer of 16 MiB that is not read": body(200, "/m/answer/v1/completions") + b"}",
    "clear-text HTTP/2": H2 + bytes(MIB),
}


class Engine:
    """Healthy. `answers`: it sends 16 MiB for a request; else it reads nothing of it."""

    def __init__(self, *, answers: bool) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listening.getsockname()[1]
        self._held: list[socket.socket] = []
        self._answers = answers
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                taken, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(taken,), daemon=True).start()

    def _answer(self, taken: socket.socket) -> None:
        with suppress(OSError):
            if taken.recv(3, socket.MSG_PEEK) == b"GET":
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                taken.close()
                return
            self._held.append(taken)
            if not self._answers:
                return
            taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (16 * MIB))
            taken.sendall(bytes(16 * MIB))

    def close(self) -> None:
        self._listening.close()
        for taken in self._held:
            taken.close()


@contextmanager
def gateway() -> Iterator[RunningGateway]:
    """With the limits that `apply` writes."""
    with TemporaryDirectory(prefix="xgb") as folder, ExitStack() as stack:
        gateway_host = RunningGateway(Path(folder), api_key=CLIENT_KEY)
        gateway_host.limits = Limits()
        instances = []
        for model, answers in (("m", False), ("answer", True)):
            engine = Engine(answers=answers)
            stack.callback(engine.close)
            known = {"host": "here", "instance": model, "model": model, "port": engine.port}
            instances.append(Endpoint.model_validate({**known, "slots": 100_000}))
        gateway_host.set(instances)
        stack.callback(gateway_host.stop)
        gateway_host.start()
        yield gateway_host


def measure(attack: str, connections: int) -> Row:
    with gateway() as gateway_host, ExitStack() as stack:
        pid = gateway_host.runtime.info().pid
        socks: list[socket.socket] = []

        def one(_: int) -> None:
            sock = socket.create_connection(("127.0.0.1", gateway_host.port), timeout=_LONGEST)
            socks.append(sock)
            with suppress(OSError):
                sock.settimeout(5)
                sock.sendall(ATTACKS[attack])

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, range(connections)))
        for sock in socks:
            stack.callback(sock.close)
        time.sleep(_SETTLE)
        held = sum(_open(sock) for sock in socks)
        return Row(attack, connections, held, round(_peak(pid) / MIB, 1))


def _open(sock: socket.socket) -> bool:
    """Whether the gateway still has it."""
    sock.setblocking(False)
    try:
        while part := sock.recv(1 << 16):
            if part.startswith(b"HTTP/1.1 4"):
                return False
            if len(part) == 1 << 16:
                return True
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (one for one in status.splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.gateway_memory")
    parser.add_argument("--connections", type=int, nargs="*", default=[3, 100, 1000])
    parser.add_argument("--attack", nargs="*", default=list(ATTACKS))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    for attack in asked.attack:
        for connections in asked.connections:
            row = measure(attack, connections)
            if asked.json:
                print(json.dumps(asdict(row)), flush=True)
            else:
                said = f"{row.memory:8.1f} MiB  {row.held:5} of {row.connections:5} held"
                print(f"{said}  {row.attack}", flush=True)


if __name__ == "__main__":
    main()
