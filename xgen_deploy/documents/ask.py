"""`ask --json`."""

from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class Score(Frozen):
    document: str
    score: float


class AskDocument(Document):
    """`way`: how it was asked. `answer` of a language model, `vector` of an embedding model,
    `scores` of a reranker; the others are None.
    """

    model: str | None = None
    way: Literal["gateway", "gateway over ssh", "ssh", "this machine"] | None = None
    url: str | None = None
    host: str | None = None
    instance: str | None = None
    answer: str | None = None
    vector: tuple[float, ...] | None = None
    scores: tuple[Score, ...] | None = None
    seconds: float | None = None
