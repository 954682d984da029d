"""`validate --json`."""

from xgen_deploy.documents.base import Document


class ValidateDocument(Document):
    valid: bool = False
    project: str | None = None
    instances: int | None = None
    hosts: tuple[str, ...] | None = None
    warnings: tuple[str, ...] | None = None
