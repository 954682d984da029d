"""`metrics-targets --json`."""

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class TargetEntry(Frozen):
    """One entry as Prometheus' `file_sd_configs` takes it."""

    targets: tuple[str, ...]
    labels: dict[str, str]


class MetricsTargetsDocument(Document):
    targets: tuple[TargetEntry, ...] | None = None
