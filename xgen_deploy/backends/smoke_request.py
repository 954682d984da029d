"""The real request that proves an instance of each kind, in the OpenAI forms that engines share."""

from xgen_deploy.backends.base import Trial
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.settings import ModelType


def openai_trial(spec: Spec) -> Trial:
    """A token, a vector or a score."""
    return trial_of(spec.model, spec.type, tokens=4)


def trial_of(model: str, kind: ModelType, *, tokens: int) -> Trial:
    """The same, of a model's name and type alone."""
    if kind == "embedding":
        return Trial("/v1/embeddings", {"model": model, "input": "Hello"}, "data")
    if kind == "reranker":
        body = {"model": model, "query": "Hello", "documents": ["Hello", "Goodbye"]}
        return Trial("/v1/rerank", body, "results")
    prompt = {"model": model, "prompt": "Hello", "max_tokens": tokens}
    return Trial("/v1/completions", prompt, "choices")
