"""The real request that proves an instance of each kind, in the OpenAI forms that engines share."""

from xgen_deploy.backends.base import Trial
from xgen_deploy.resolve.instance import Spec


def openai_trial(spec: Spec) -> Trial:
    """A token, a vector or a score."""
    if spec.type == "embedding":
        return Trial("/v1/embeddings", {"model": spec.model, "input": "Hello"}, "data")
    if spec.type == "reranker":
        body = {"model": spec.model, "query": "Hello", "documents": ["Hello", "Goodbye"]}
        return Trial("/v1/rerank", body, "results")
    prompt = {"model": spec.model, "prompt": "Hello", "max_tokens": 4}
    return Trial("/v1/completions", prompt, "choices")
