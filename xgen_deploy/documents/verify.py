"""`verify --json`."""

from xgen_deploy.documents.base import Document
from xgen_deploy.verify.checks import Check


class VerifyDocument(Document):
    checks: tuple[Check, ...] | None = None
