"""One question to a model in the OpenAI forms that engines and the gateway share. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.state.settings import ModelType


@dataclass(frozen=True)
class Question:
    """`documents` are what a reranker scores against the `text`."""

    model: str
    kind: ModelType
    text: str
    documents: tuple[str, ...] = ()
    max_tokens: int = 512

    @property
    def path(self) -> str:
        if self.kind == "embedding":
            return "/v1/embeddings"
        return "/v1/rerank" if self.kind == "reranker" else "/v1/chat/completions"

    @property
    def body(self) -> Mapping[str, object]:
        if self.kind == "embedding":
            return {"model": self.model, "input": self.text}
        if self.kind == "reranker":
            return {"model": self.model, "query": self.text, "documents": list(self.documents)}
        message = {"role": "user", "content": self.text}
        return {
            "model": self.model,
            "messages": [message],
            "max_tokens": self.max_tokens,
            "stream": True,
        }

    @property
    def example(self) -> Mapping[str, object]:
        """The least of it, as one would type it."""
        left_out = ("max_tokens", "stream")
        return {k: v for k, v in self.body.items() if k not in left_out}
