"""`accept record --json`."""

from pydantic import Field

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class RecordedModel(Frozen):
    """`file` is where it was written, `host` and `instance` who was asked; counts of both kinds."""

    file: str
    host: str
    instance: str
    prompts: int
    vectors: int


class AcceptDocument(Document):
    models: dict[str, RecordedModel] = Field(default_factory=dict)
