"""The real request that proves an instance of each kind, in the OpenAI forms that engines share."""

from xgen_deploy.backends.base import SmokeRequest
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.settings import ModelType


def openai_smoke_request(spec: Spec) -> SmokeRequest:
    """A token, a vector or a score."""
    return smoke_request_of(spec.model, spec.type, tokens=4)


def smoke_request_of(model: str, kind: ModelType, *, tokens: int) -> SmokeRequest:
    """The same, of a model's name and type alone."""
    if kind == "embedding":
        return SmokeRequest("/v1/embeddings", {"model": model, "input": "Hello"}, "data")
    if kind == "reranker":
        body = {"model": model, "query": "Hello", "documents": ["Hello", "Goodbye"]}
        return SmokeRequest("/v1/rerank", body, "results")
    prompt = {"model": model, "prompt": "Hello", "max_tokens": tokens}
    return SmokeRequest("/v1/completions", prompt, "choices")
