"""One question to a model in the OpenAI forms that engines and the gateway share. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.state.settings import ModelType


@dataclass(frozen=True)
class Question:
    """`documents` are what a reranker scores against the `text`. `complete`: a language model goes
    on with the text, as one without a chat template does."""

    model: str
    kind: ModelType
    text: str
    documents: tuple[str, ...] = ()
    max_tokens: int = 512
    complete: bool = False

    @property
    def path(self) -> str:
        if self.kind == "embedding":
            return "/v1/embeddings"
        if self.kind == "reranker":
            return "/v1/rerank"
        return "/v1/completions" if self.complete else "/v1/chat/completions"

    @property
    def body(self) -> Mapping[str, object]:
        if self.kind == "embedding":
            return {"model": self.model, "input": self.text}
        if self.kind == "reranker":
            return {"model": self.model, "query": self.text, "documents": list(self.documents)}
        messages = [{"role": "user", "content": self.text}]
        asked = {"prompt": self.text} if self.complete else {"messages": messages}
        return {"model": self.model, **asked, "max_tokens": self.max_tokens, "stream": True}

    @property
    def example(self) -> Mapping[str, object]:
        """The least of it, as one would type it."""
        left_out = ("max_tokens", "stream")
        return {k: v for k, v in self.body.items() if k not in left_out}
