"""What `GET /api/events` and `GET /api/hosts/{host}/last-hour` tell. Pure."""

from collections.abc import Mapping

from xgen_deploy.documents.base import Document
from xgen_deploy.documents.management import LoadingStatus
from xgen_deploy.frozen import Frozen
from xgen_deploy.live.last_hour import Curves
from xgen_deploy.live.sample import GPUSample
from xgen_deploy.live.values import Gone, HostValues, Rates


class LiveRates(Frozen):
    """Of one instance; None: not known."""

    tokens_per_second: float | None
    prompt_tokens_per_second: float | None
    running: float | None
    waiting: float | None


class LiveHost(Frozen):
    """`at` in seconds since the epoch; `gone` is why there are no values any more."""

    at: float | None
    gone: str | None
    gpus: tuple[GPUSample, ...]
    instances: Mapping[str, LiveRates]
    memory_available_mb: int | None


class LiveValues(Frozen):
    """The event `values`."""

    hosts: Mapping[str, LiveHost]


class LiveStates(Frozen):
    """The event `states`: what runs, or the manifest, is another than before. `models` as
    `loading-status` has them. `manifest` is its digest; it and `models` are None while it has
    errors."""

    version: int
    manifest: str | None
    models: tuple[LoadingStatus, ...] | None


class LiveChange(Frozen):
    """The event `change`: one that was asked for, begins or has ended."""

    id: str
    state: str
    user: str


class LastHourDocument(Document):
    """`at` are seconds since the epoch; each of `curves` has one value for each of them, None where
    it was not known: `gpu/0/memory_used_mb`, `instance/NAME/tokens_per_second`, …"""

    host: str
    at: tuple[float, ...]
    curves: Mapping[str, tuple[float | None, ...]]


def live_host(values: HostValues | Gone, *, instances: frozenset[str] | None) -> LiveHost:
    """With these instances alone, where a user is limited to some."""
    if isinstance(values, Gone):
        return LiveHost(
            at=None, gone=values.reason, gpus=(), instances={}, memory_available_mb=None
        )
    return LiveHost(
        at=values.at,
        gone=None,
        gpus=values.gpus,
        instances={
            name: _rates(rates)
            for name, rates in values.instances.items()
            if instances is None or name in instances
        },
        memory_available_mb=values.memory_available_mb,
    )


def last_hour_document(
    host: str, curves: Curves, *, instances: frozenset[str] | None
) -> LastHourDocument:
    def is_shown(name: str) -> bool:
        kind, instance = name.split("/")[:2]
        return kind != "instance" or instances is None or instance in instances

    shown = {name: values for name, values in curves.values.items() if is_shown(name)}
    return LastHourDocument(host=host, at=curves.at, curves=shown)


def _rates(rates: Rates) -> LiveRates:
    return LiveRates(
        tokens_per_second=_rounded(rates.tokens_per_second),
        prompt_tokens_per_second=_rounded(rates.prompt_tokens_per_second),
        running=rates.running,
        waiting=rates.waiting,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
