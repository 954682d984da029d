"""The real request that proves an instance of each kind."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.state.settings import ModelType


@dataclass(frozen=True)
class SmokeRequest:
    """A real request of the instance's kind: POST `body` (JSON) to `path`.

    `answered` names the list in the reply that must not be empty.
    """

    path: str
    body: Mapping[str, object]
    answered: str


def openai_smoke_request(model: str, kind: ModelType, *, tokens: int = 4) -> SmokeRequest:
    """A token, a vector or a score, in the OpenAI forms that engines and the gateway share."""
    if kind == "embedding":
        return SmokeRequest("/v1/embeddings", {"model": model, "input": "Hello"}, "data")
    if kind == "reranker":
        body = {"model": model, "query": "Hello", "documents": ["Hello", "Goodbye"]}
        return SmokeRequest("/v1/rerank", body, "results")
    prompt = {"model": model, "prompt": "Hello", "max_tokens": tokens}
    return SmokeRequest("/v1/completions", prompt, "choices")


def openai_input(model: str, kind: ModelType, text: str) -> SmokeRequest:
    """One text to an embedding model or a reranker."""
    if kind == "embedding":
        return SmokeRequest("/v1/embeddings", {"model": model, "input": text}, "data")
    body = {"model": model, "query": "Hello", "documents": [text]}
    return SmokeRequest("/v1/rerank", body, "results")
