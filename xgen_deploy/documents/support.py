"""`support --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document


class SupportDocument(Document):
    """`file` is what was written; `hosts`: whether each was reached."""

    file: str | None = None
    hosts: Mapping[str, bool] | None = None
