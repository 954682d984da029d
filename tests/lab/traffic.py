"""Clients that ask a gateway again and again, half of them for streamed answers."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.transport.eventually import eventually

_PATH = "/v1/completions"
# Without it the clients take the processors from what is changed meanwhile.
_PAUSE_S = 0.1


@dataclass
class Traffic:
    """`failed` says what each request that did not end well got."""

    address: str
    port: int
    model: str
    key: str
    done: int = 0
    failed: list[str] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def more(self, count: int, seconds: float = 120.0) -> None:
        """Waits until this many more requests have ended."""
        enough = self.done + count
        assert eventually(lambda: self.done >= enough, seconds), self.failed

    def client(self, *, stream: bool) -> None:
        """One client, until the end."""
        while not self._end.is_set():
            try:
                said = self._ask(stream=stream)
            except (OSError, http.client.HTTPException) as error:
                said = repr(error)
            with self._lock:
                self.done += 1
                if said:
                    self.failed.append(said)
            self._end.wait(_PAUSE_S)

    def end(self) -> None:
        self._end.set()

    def _ask(self, *, stream: bool) -> str:
        """Nothing where the answer was whole."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=60)
        body = {"model": self.model, "prompt": "Hello", "max_tokens": 4, "stream": stream}
        headers = {"Authorization": f"Bearer {self.key}"}
        try:
            connection.request("POST", _PATH, json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        whole = text.rstrip().endswith("data: [DONE]") if stream else '"choices"' in text
        return "" if answer.status == 200 and whole else f"{answer.status} {text[-200:]}"


@contextmanager
def traffic(address: str, port: int, model: str, key: str, clients: int = 8) -> Iterator[Traffic]:
    """Clients at work while the block runs."""
    here = Traffic(address, port, model, key)
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(here.client, stream=bool(n % 2)) for n in range(clients)]
        try:
            yield here
        finally:
            here.end()
    for one in asking:
        one.result()
