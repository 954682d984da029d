"""Asks an instance what it must answer to be accepted, on the host itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xgen_deploy.backends.smoke_request import SmokeRequest
from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.secret_text import SecretText
from xgen_deploy.state.accept import MIN_COSINE, Accept, AcceptPrompt
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import ask, wrong_with
from xgen_deploy.verify.vectors import KEPT, TEXTS, KeptVectors, read_kept, too_far

_SEED = 1
_LONGEST = 20_000
_PATIENCE = 120.0


class NoAnswer(Exception):
    """The instance gave no usable answer; the message is a clause."""


@dataclass(frozen=True)
class Acceptance:
    """Of one running instance; `api_key` is its own."""

    spec: Spec
    session: Session
    api_key: SecretText | None

    def problems(self, accept: Accept) -> Iterator[str]:
        """A clause for each expectation that is not met. Raises HostError."""
        try:
            for prompt in accept.prompts:
                wrong = prompt.wrong_with(self.text(prompt))
                if wrong:
                    yield f"the answer to `{prompt.prompt[:40]}` is not accepted: {wrong}"
            texts = [v.text for v in accept.vectors]
            expected = [v.vector for v in accept.vectors]
            yield from too_far(texts, expected, self.vectors(texts), least_cosine(accept))
        except NoAnswer as error:
            yield str(error)

    def text(self, prompt: AcceptPrompt) -> str:
        """The answer to a prompt. Raises NoAnswer, HostError."""
        sampling = {"max_tokens": prompt.max_tokens, "temperature": 0, "seed": _SEED}
        common: dict[str, object] = {"model": self.spec.model, **sampling}
        if prompt.raw:
            whole = self._answer("/v1/completions", {**common, "prompt": prompt.prompt}, "choices")
        else:
            messages = [{"role": "user", "content": prompt.prompt}]
            body = {**common, "messages": messages}
            whole = self._answer("/v1/chat/completions", body, "choices")
        try:
            choice = whole["choices"][0]
            text = choice["text"] if prompt.raw else choice["message"]["content"]
            return str(text or "")[:_LONGEST]
        except (KeyError, TypeError, IndexError):
            raise NoAnswer(f"the answer to `{prompt.prompt[:40]}` has no text") from None

    def vectors(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """One for each text. Raises NoAnswer, HostError."""
        return [self._vector(text) for text in texts]

    def reference(self) -> KeptVectors:
        """What the host is to keep. Raises NoAnswer, HostError."""
        vectors = tuple(self.vectors(TEXTS))
        return KeptVectors(model=self.spec.model, texts=TEXTS, vectors=vectors)

    def _vector(self, text: str) -> tuple[float, ...]:
        body = {"model": self.spec.model, "input": text, "encoding_format": "float"}
        whole = self._answer("/v1/embeddings", body, "data")
        try:
            values = whole["data"][0]["embedding"]
            if values and isinstance(values[0], list):  # one vector a token
                values = [x for row in values for x in row]
            vector = tuple(float(f"{float(x):.6g}") for x in values)
        except (KeyError, TypeError, IndexError, ValueError, OverflowError):
            vector = ()
        if not vector:
            raise NoAnswer(f"the answer to `{text[:40]}` has no vector")
        return vector

    def _answer(self, path: str, body: Mapping[str, object], answered: str) -> Any:
        request = SmokeRequest(path, body, answered)
        spec = self.spec
        reply = ask(request, self.session, spec.listen, spec.port, self.api_key, timeout=_PATIENCE)
        wrong = wrong_with(request, reply)
        if wrong:
            raise NoAnswer(wrong)
        return read_json(reply.body, PAGE)


def kept_vectors(session: Session, layout: Layout, instance: Instance) -> KeptVectors | None:
    """What the host keeps of the instance's model. Raises HostError."""
    content = session.read_file(layout.vectors(instance.name), limit=KEPT)
    return read_kept(content, instance.spec.model)


def least_cosine(accept: Accept | None) -> float:
    stated = accept.min_cosine if accept else None
    return MIN_COSINE if stated is None else stated
