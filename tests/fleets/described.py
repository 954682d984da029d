"""Fleets as data: what a host has, and what must be found there."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, TypeAdapter

from xgen_deploy.backends.availability import available_backends, recommended_family
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo

CASES = Path(__file__).with_name("cases")


class Trouble(Frozen):
    """An attempt that failed and matters, known by a part of its reason."""

    detector: str
    reason: str


class Expected(Frozen):
    """`left_out` holds a part of the reason for each backend that cannot run."""

    method: str
    gpus: tuple[GPUInfo, ...] = ()
    trouble: tuple[Trouble, ...] = ()
    backends: tuple[str, ...]
    recommended: Literal["vllm", "llama"]
    left_out: dict[str, str] = Field(default_factory=dict)


class Fleet(Frozen):
    """`fleet` is the text that the stand-ins answer from (see fleet.h)."""

    about: str
    libraries: tuple[Literal["nvidia", "amd"], ...]
    old: bool = False
    missing: tuple[str, ...] = ()
    without_library: bool = False
    fleet: str
    expect: Expected


def fleets() -> dict[str, Fleet]:
    read = TypeAdapter(Fleet).validate_python
    return {p.stem: read(yaml.safe_load(p.read_text())) for p in sorted(CASES.glob("*.yaml"))}


def check(fleet: Fleet, result: GPUDetectionResult) -> None:
    """That a host with this fleet was seen as it is."""
    expect = fleet.expect
    assert result.detection_method == expect.method
    assert [g.model_dump() for g in result.gpus] == [g.model_dump() for g in expect.gpus]
    failed = [a for a in result.attempts if not a.ok and not a.expected_absent]
    for trouble in expect.trouble:
        assert any(
            a.detector == trouble.detector and trouble.reason in (a.reason or "") for a in failed
        ), failed
    assert len(failed) == len(expect.trouble), failed
    can = available_backends(result.gpus)
    assert can.backends == expect.backends
    assert recommended_family(can.backends) == expect.recommended
    for backend, reason in expect.left_out.items():
        assert reason in can.reasons[backend]
