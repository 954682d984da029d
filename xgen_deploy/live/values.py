"""What a host does right now, from two samples of it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from xgen_deploy.live.sample import GPUSample, HostSample, LoadSample


@dataclass(frozen=True)
class Rates:
    """Of one instance; None: not known. Tokens a second, requests."""

    tokens_per_second: float | None
    prompt_tokens_per_second: float | None
    running: float | None
    waiting: float | None


@dataclass(frozen=True)
class HostValues:
    """`at` is when they came, in seconds of this machine's clock: a host's own may be off."""

    at: float
    gpus: tuple[GPUSample, ...]
    instances: Mapping[str, Rates]
    memory_available_mb: int | None


@dataclass(frozen=True)
class Gone:
    """Why there are no values of a host any more."""

    reason: str


def host_values(sample: HostSample, before: HostSample | None, at: float) -> HostValues:
    """Rates need a sample before this one."""
    return HostValues(
        at=at,
        gpus=sample.gpus,
        instances={name: _rates(name, sample, before) for name in sample.loads},
        memory_available_mb=sample.memory_available_mb,
    )


def _rates(name: str, sample: HostSample, before: HostSample | None) -> Rates:
    load, earlier = sample.loads[name], before.loads.get(name) if before else None
    seconds = sample.clock - before.clock if before else 0.0
    return Rates(
        tokens_per_second=_rate(load, earlier, "generated", seconds),
        prompt_tokens_per_second=_rate(load, earlier, "prompt", seconds),
        running=load.running,
        waiting=load.waiting,
    )


def _rate(load: LoadSample, before: LoadSample | None, what: str, seconds: float) -> float | None:
    """None after a restart, which sets the counter back."""
    now: float | None = getattr(load, what)
    then: float | None = getattr(before, what) if before else None
    if now is None or then is None or seconds <= 0 or now < then:
        return None
    return (now - then) / seconds
