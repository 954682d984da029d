"""`config --json`."""

from collections.abc import Mapping

from xgen_deploy.cli.documents.base import Document


class ConfigDocument(Document):
    """With --from-host, `host` kept it, as apply number `apply` left it."""

    project: str | None = None
    host: str | None = None
    apply: int | None = None
    manifest: Mapping[str, object] | None = None
