"""`serve --json`: once it listens."""

from xgen_deploy.documents.base import Document


class ServeDocument(Document):
    """`login_link` works once, within ten minutes; None where the manifest has users."""

    project: str | None = None
    address: str | None = None
    login_link: str | None = None
    changes: str | None = None
