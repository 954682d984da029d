"""What the driver takes of a GPU for one process that computes there, as it was measured on a host.
No engine reports it.
"""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.load_report import Text
from xgen_deploy.state.memory import CONTEXT

MOST_MIB = 3 * CONTEXT >> 20  # three times what is assumed: more is something else
# On an H100 590 MiB once a model is loaded, 600 to 730 after requests, without flash attention 800.
# A context grows with the chip: the still larger ones after it are taken for alike.
_LARGE, _OF_LARGE = ("9.", "10."), 700 << 20
_KEPT = 32


class DriverMemory(Frozen):
    """Of one model of GPU with one driver and build of an engine."""

    gpu: Text
    driver: Text | None = None
    engine: Text
    build: Text | None = None
    mib: Annotated[int, Field(ge=0, le=MOST_MIB)]

    @property
    def key(self) -> tuple[str | None, ...]:
        return self.gpu, self.driver, self.engine, self.build


def merged(
    known: Iterable[DriverMemory], measured: Iterable[DriverMemory]
) -> tuple[DriverMemory, ...]:
    """The newest first; of several at once the largest."""
    now: dict[tuple[str | None, ...], DriverMemory] = {}
    for each in measured:
        if each.key not in now or now[each.key].mib < each.mib:
            now[each.key] = each
    return (*now.values(), *(k for k in known if k.key not in now))[:_KEPT]


def measured_for(gpu: GPUInfo, known: Iterable[DriverMemory]) -> int | None:
    """Bytes, the most that any engine's process was seen to take; None where none was."""
    own = [k.mib for k in known if (k.gpu, k.driver) == (gpu.device_name, gpu.driver_version)]
    return max(own) << 20 if own else None


def assumed_for(gpu: GPUInfo) -> int:
    """Bytes, until it is measured."""
    return _OF_LARGE if (gpu.compute_capability or "").startswith(_LARGE) else CONTEXT
