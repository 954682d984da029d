"""`config --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document


class ConfigDocument(Document):
    """With --from-host, `host` kept it, as apply number `apply` left it. Of a manifest, `places`
    are where its values come from: `hosts.gpu-01.0.n_ctx` -> a file and a line.
    """

    project: str | None = None
    host: str | None = None
    apply: int | None = None
    manifest: Mapping[str, object] | None = None
    places: Mapping[str, str] | None = None
