"""A line of a host's reporter, as it comes (live/remote/reporter.py)."""

from typing import Annotated

from pydantic import Field, ValidationError

from xgen_deploy.bounded_json import read_json
from xgen_deploy.frozen import Frozen
from xgen_deploy.limits import INSTANCES
from xgen_deploy.visible import on_one_line

LONGEST = 1 << 20  # bytes
_GPUS = 256
_Amount = Annotated[float, Field(ge=0, le=1e15)]
_MiB = Annotated[int, Field(ge=0, le=1 << 40)]
_Text = Annotated[str, Field(max_length=200)]
_Loads = Annotated[dict[_Text, "LoadSample"], Field(max_length=INSTANCES)]


class GPUSample(Frozen):
    """None: not known, or not measurable. A subset of state/gpu.py, GPUInfo."""

    index: Annotated[int, Field(ge=0, le=_GPUS)]
    uuid: _Text | None = None
    pci_bus_id: _Text | None = None
    memory_total_mb: _MiB | None = None
    memory_used_mb: _MiB | None = None
    memory_free_mb: _MiB | None = None
    utilization_percent: Annotated[int, Field(ge=0, le=100)] | None = None
    gtt_used_mb: _MiB | None = None
    temperature_celsius: Annotated[float, Field(ge=-100, le=1000)] | None = None
    power_watts: _Amount | None = None


class LoadSample(Frozen):
    """Tokens since the engine's start, requests now."""

    generated: _Amount | None = None
    prompt: _Amount | None = None
    running: _Amount | None = None
    waiting: _Amount | None = None


class HostSample(Frozen):
    """`at` is in seconds of the host's wall clock, `clock` of one that never jumps. `loads` has
    the instances whose engine answered.
    """

    at: _Amount
    clock: _Amount
    gpus: Annotated[tuple[GPUSample, ...], Field(max_length=_GPUS)] = ()
    loads: Annotated[dict[_Text, LoadSample], Field(max_length=INSTANCES)] = Field(
        default_factory=dict
    )
    memory_available_mb: _MiB | None = None


def read_sample(line: bytes) -> HostSample:
    """Raises ConnectionError where it is none: who sent it is no reporter of ours."""
    try:
        return HostSample.model_validate(on_one_line(read_json(line, LONGEST)))
    except (ValidationError, ValueError):
        raise ConnectionError("it sent something else than its values") from None
