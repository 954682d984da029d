"""`logs --json`."""

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class EntryOfLog(Frozen):
    """`time` is None where the line states none, `instance` where it is not an instance's own."""

    time: float | None
    host: str
    instance: str | None
    text: str


class LogsDocument(Document):
    """`host`, `instance` and `lines` of one instance, `entries` of several."""

    host: str | None = None
    instance: str | None = None
    lines: tuple[str, ...] | None = None
    entries: tuple[EntryOfLog, ...] | None = None
