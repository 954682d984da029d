"""An engine as it answers and logs, and how it may misbehave."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from xgen_deploy.transport.base import Reply

_VECTOR = {"embedding": [1.0, 0.5]}
ANSWER = json.dumps({"choices": [{"text": "a"}], "data": [_VECTOR], "results": [{}]}).encode()
_REFUSED = Reply(0, b"Connection refused")
_TOTAL = 37
_CARD = "0000:41:00.0"


@dataclass(frozen=True)
class Engine:
    """`dies`: right after its start, or once it has answered a request. `layers` are those that it
    says it put on its GPU, all that were asked for where None; `card` is the one that it used, and
    `buffers` what it took there for weights, cache and computing.
    `kept` is what the host keeps of its log, in lines; None is all.
    `vector` is what it makes of a text, `text` its answer to any prompt, `reads` what it says to a
    text of so many words for a vector or a score.
    """

    dies: Literal["never", "at once", "after a request"] = "never"
    health: int = 200
    answer: Reply = field(default=Reply(200, ANSWER))
    layers: int | None = None
    card: str | None = _CARD
    buffers: tuple[float, float, float] = (100.0, 0.0, 0.0)
    context: int | None = None
    complaint: str = ""
    kept: int | None = None
    vector: Callable[[str], list[float]] | None = None
    text: str | None = None
    reads: Callable[[int], Reply] | None = None


class EngineProcess:
    """One start of an engine: `command` is its unit's text, `key` the API key that it read."""

    def __init__(self, engine: Engine, command: str, key: str | None, run: str) -> None:
        self.engine = engine
        self.command = command
        self.key = key
        self.run = run
        self.ended = engine.dies == "at once"
        self._active: Iterator[int] | None = None

    @property
    def port(self) -> int:
        return int(self._stated("--port", "0"))

    @property
    def context(self) -> int:
        """That one request can have."""
        return int(self._stated("--ctx-size", "0")) // int(self._stated("--parallel", "1"))

    @property
    def healthy(self) -> bool:
        return not self.ended and self.engine.health == 200

    def tell_active(self, counts: tuple[int, ...] | None) -> None:
        """From now on these, one each time that it is asked."""
        self._active = None if counts is None else iter(counts)

    def request(self, method: str, path: str, key: str | None, body: bytes = b"{}") -> Reply:
        if self.ended:
            return _REFUSED
        if path == "/health":
            return Reply(self.engine.health, b"{}") if self.engine.health else _REFUSED
        if self.key is not None and key != self.key:
            return Reply(401, b'{"error": "Invalid API Key"}')
        if path == "/metrics":
            return self._metrics()
        if method != "POST":
            return Reply(404, b"")
        self.ended = self.engine.dies == "after a request"
        return self._said(json.loads(body)) or self.engine.answer

    def _said(self, asked: dict[str, Any]) -> Reply | None:
        read = [asked.get("input"), *(asked.get("documents") or ())]
        words = max((len(text.split()) for text in read if isinstance(text, str)), default=0)
        if self.engine.reads is not None and words:
            return self.engine.reads(words)
        if self.engine.vector is not None and isinstance(asked.get("input"), str):
            vector = self.engine.vector(asked["input"])
            return Reply(200, json.dumps({"data": [{"embedding": vector}]}).encode())
        if self.engine.text is not None:
            choice = {"text": self.engine.text, "message": {"content": self.engine.text}}
            return Reply(200, json.dumps({"choices": [choice]}).encode())
        return None

    def log(self) -> str:
        """As llama-server prints at `-lv 4`."""
        context = self.engine.context or self.context
        lines = [
            "I system_info: n_threads = 16",
            *self._placed(),
            f"I srv    load_model: initializing, n_slots = {self._stated('--parallel', '4')}",
            f"I slot   load_model: id  0 | task -1 | new slot, n_ctx = {context}",
        ]
        if self.engine.complaint:
            lines.append(f"E {self.engine.complaint}")
        return "\n".join(f"0.00.100.000 {line}" for line in lines[: self.engine.kept])

    def _placed(self) -> list[str]:
        device = self._stated("--device", "none")
        card = self.engine.card
        if device == "none" or card is None:
            return ["I load_tensors: CPU_Mapped model buffer size = 100.00 MiB"]
        asked = self._stated("--n-gpu-layers", "all")
        every = _TOTAL if asked in ("all", "-1") else int(asked)
        layers = every if self.engine.layers is None else self.engine.layers
        return [
            f"I using device {device} (a card) ({card}) - 2048 MiB free",
            f"I load_tensors: offloaded {layers}/{_TOTAL} layers to GPU",
            *(
                f"I load_tensors: {device} {kind} buffer size = {mib:.2f} MiB"
                for kind, mib in zip(("model", "KV", "compute"), self.engine.buffers, strict=True)
            ),
        ]

    def _metrics(self) -> Reply:
        if self._active is None:
            return Reply(404, b"")
        count = next(self._active, 0)
        return Reply(200, f"llamacpp:requests_processing {count}\n".encode())

    def _stated(self, flag: str, otherwise: str) -> str:
        stated = re.search(rf"{flag} (\S+)", self.command)
        return stated[1] if stated else otherwise
