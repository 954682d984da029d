"""An engine's own report of its start: devices, layers, buffers, context."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Annotated, TypeVar

from pydantic import AfterValidator, Field

from xgen_deploy.frozen import Frozen
from xgen_deploy.log_lines import cut

# Characters of a text, entries of a list. A report is the engine's word and lies in the record of
# its host, which has to stay readable: what is longer is cut.
_LONGEST = 200
MOST = 64

_V = TypeVar("_V")


def _short(text: str) -> str:
    return cut(text, _LONGEST)


def _few(entries: Sequence[_V]) -> tuple[_V, ...]:
    return tuple(entries[:MOST])


def _few_of(entries: Mapping[str, float]) -> dict[str, float]:
    return dict(islice(entries.items(), MOST))


Text = Annotated[str, AfterValidator(_short)]
Sizes = Annotated[dict[Text, float], AfterValidator(_few_of)]


class DeviceReport(Frozen):
    """One device that the engine used; sizes in MiB."""

    name: Text
    description: Text | None = None
    pci_bus_id: Text | None = None
    model_mib: float = 0.0
    kv_mib: float = 0.0
    compute_mib: float = 0.0


class DraftReport(Frozen):
    """The load of a draft model, told as the model's own (see LoadReport). `used`: the engine
    drafts with it; some builds load one and leave it at that.
    """

    devices: Annotated[tuple[DeviceReport, ...], AfterValidator(_few)] = ()
    offloaded: int | None = None
    total_layers: int | None = None
    host_mib: Sizes = Field(default_factory=dict)
    used: bool = True


class LoadReport(Frozen):
    """`offloaded` and `total_layers` are the engine's words; on no device nothing is offloaded,
    whatever the log claims (it prints `offloaded 19/19` without any GPU). `context` is per slot.
    `sampling` are the defaults that the running engine names, by the manifest's words.
    `max_concurrency` is how many requests of the whole context the KV cache holds. `draft` is a
    draft model that was loaded beside the model; `vision` whether it takes images.
    """

    devices: Annotated[tuple[DeviceReport, ...], AfterValidator(_few)] = ()
    offloaded: int | None = None
    total_layers: int | None = None
    context: int | None = None
    slots: int | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    sampling: Sizes = Field(default_factory=dict)
    version: Text | None = None
    quantization: Text | None = None
    host_mib: Sizes = Field(default_factory=dict)
    draft: DraftReport | None = None
    vision: bool | None = None
    warnings: Annotated[tuple[Text, ...], AfterValidator(_few)] = ()

    @property
    def proves(self) -> bool:
        """Whether the engine's log said how it was loaded: 0.1.0 kept reports without a word of
        that too."""
        sizes = (self.host_mib, self.total_layers, self.kv_cache_tokens, self.context)
        return bool(self.devices) or any(sizes)

    def adding(self, **more: object) -> "LoadReport":
        """The report with further fields. Raises ValueError where they are invalid."""
        return LoadReport.model_validate(self.model_dump() | more)
