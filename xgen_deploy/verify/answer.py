"""A model's answer as it arrives: text piece by piece, a vector, or scores. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xgen_deploy.backends.question import Question
from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.log_lines import cut

_SHOWN = 500
_DATA = b"data:"


@dataclass
class Answer:
    """Fed with the body of a reply of this `status`. `problem` says what was wrong with it; "" is
    nothing.
    """

    question: Question
    status: int
    text: str = ""
    vector: tuple[float, ...] = ()
    scores: tuple[tuple[int, float], ...] = ()
    problem: str = ""
    _rest: bytes = field(default=b"", repr=False)
    _plain: bytes = field(default=b"", repr=False)
    _size: int = 0
    _thought: bool = False

    def feed(self, piece: bytes) -> Iterator[str]:
        """The text that came with it."""
        self._size += len(piece)
        if self._size > PAGE:
            self.problem = f"the answer is longer than {PAGE >> 20} MiB"
            return
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if self.status == 200 and line.startswith(_DATA):
                yield from self._event(line[len(_DATA) :].strip())
            else:
                self._plain += line + b"\n"

    def end(self) -> Iterator[str]:
        """What is left, once nothing more comes; then all is known."""
        yield from self.feed(b"\n")
        value = _json(self._plain)
        if self.status != 200 or (isinstance(value, dict) and "error" in value):
            self.problem = self.problem or _error_text(value, self._plain)
        elif isinstance(value, dict):
            yield from self._whole(value)
        if not (self.problem or self.text or self.vector or self.scores):
            thinking = "it used all of its tokens to think; raise --max-tokens"
            self.problem = thinking if self._thought else "the answer is empty"

    def _event(self, data: bytes) -> Iterator[str]:
        if data == b"[DONE]":
            return
        value = _json(data)
        if isinstance(value, dict) and "error" in value:
            self.problem = _error_text(value, data)
        text = _text_of(value)
        self.text += text
        self._thought = self._thought or b'"reasoning' in data
        if text:
            yield text

    def _whole(self, value: dict[str, Any]) -> Iterator[str]:
        """One document in place of a stream."""
        try:
            if self.question.kind == "embedding":
                self.vector = tuple(float(n) for n in value["data"][0]["embedding"])
            elif self.question.kind == "reranker":
                scores = ((int(r["index"]), float(r["relevance_score"])) for r in value["results"])
                self.scores = tuple(scores)
            else:
                self.text = _text_of(value)
                yield self.text
        except (KeyError, IndexError, TypeError, ValueError):
            self.problem = f"the answer has another form than expected: {_start(self._plain)}"


def _text_of(value: object) -> str:
    """Of a chunk or a whole answer; what a model thinks before it answers is left out."""
    try:
        choice = value["choices"][0]  # type: ignore[index]
        part = choice.get("delta") or choice.get("message") or {}
        text = part.get("content") or choice.get("text") or ""
    except (KeyError, IndexError, TypeError, AttributeError):
        return ""
    return text if isinstance(text, str) else ""


def _error_text(value: object, raw: bytes) -> str:
    error = value.get("error") if isinstance(value, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return cut(message, _SHOWN) if isinstance(message, str) and message else _start(raw)


def _start(raw: bytes) -> str:
    return cut(raw.decode(errors="replace").strip(), _SHOWN) or "nothing was said"


def _json(raw: bytes) -> object:
    try:
        value: object = read_json(raw, PAGE)
    except ValueError:
        return None
    return value
