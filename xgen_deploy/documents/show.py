"""`show --json`."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document


class ShowDocument(Document):
    """The fields of plan/saved.py, SavedPlan."""

    xgen_plan: int | None = None
    site: Mapping[str, object] | None = None
    fingerprint: str | None = None
    parts: Mapping[str, Mapping[str, str]] | None = None
    operations: tuple[str, ...] | None = None
    text: tuple[str, ...] | None = None
    refresh: bool | None = None
    manifest: str | None = None
    inventory: str | None = None
    more_inventories: tuple[str, ...] | None = None
    take_over: bool | None = None
    repin: Mapping[str, object] | None = None
    variables: tuple[str, ...] | None = None
    edit: Mapping[str, str] | None = None
