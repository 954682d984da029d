"""Rows of `fit` as JSON, and as what a manifest would say."""

from collections.abc import Mapping

from xgen_deploy.backends.registry import backend_named
from xgen_deploy.documents.fit import FitRow
from xgen_deploy.manifest.yaml_text import yaml_line
from xgen_deploy.resolve.fitting.recommended import slots_of
from xgen_deploy.resolve.fitting.rows import Row

_MIB = 1 << 20


def entry_of(row: Row, host: str | None = None, instance: str | None = None) -> FitRow:
    told = row.forecast
    return FitRow(
        host=host,
        instance=instance,
        model=row.model.path or row.model.key,
        quantization=row.model.gguf.quantization if row.model.gguf is not None else None,
        n_ctx=row.spec.n_ctx,
        cache=row.cache,
        fits=told is not None,
        layers=row.layers if told is not None else None,
        total_layers=row.total,
        gpus_mib=None if told is None else tuple(_mib(need.total) for need in told.devices),
        host_mib=None if told is None else _mib(told.host.total),
        at_once=round(row.at_once, 2),
        confidence=None if told is None else "exact" if told.exact else "estimate",
    )


def yaml_of(row: Row, first: Mapping[str, object]) -> str:
    """A map of `first` and of what the row decides."""
    fields: dict[str, object] = dict(first)
    if row.spec.type != "llm":
        fields["type"] = row.spec.type
    fields["n_ctx"] = row.spec.n_ctx
    if row.layers is not None and not row.is_whole:
        fields["n_gpu_layers"] = row.layers
    own: dict[str, object] = {}
    if slots := slots_of(row):
        own["parallel"] = slots
    backend = backend_named(row.spec.backend)
    if backend is not None and backend.small_cache and row.cache == backend.small_cache.name:
        own |= backend.small_cache.settings
    if row.spec.llama.tensor_split and not row.is_whole:
        own["tensor_split"] = [int(share) for share in row.spec.llama.tensor_split]
    if own and backend is not None and backend.settings:
        fields[backend.settings] = own
    return yaml_line(fields)


def _mib(count: int) -> float:
    return round(count / _MIB, 4)
