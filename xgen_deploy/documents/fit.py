"""`fit --json`."""

from typing import Literal

from xgen_deploy.documents.base import Document
from xgen_deploy.frozen import Frozen


class DeviceNeed(Frozen):
    """In MiB, as the engine names its buffers; None: not known."""

    weights_mib: float
    kv_mib: float | None
    compute_mib: float | None
    total_mib: float | None


class HostNeed(Frozen):
    """`weights_mib` are those that the host computes with: they may be mapped from the file.
    `output_mib` is where results are handed over."""

    weights_mib: float
    kv_mib: float | None
    compute_mib: float | None
    output_mib: float | None
    total_mib: float | None


class QuantizedEntry(Frozen):
    """The file that `--quantize` would make: its size, and the memory that making it takes."""

    file_type: str
    about_mib: float
    memory_mib: float


class FitRow(Frozen):
    """A model with a context and a type of cache. `host` and `instance` None: on GPUs that were
    named. `layers` of `total_layers` are on GPUs; null where the engine has them all there.
    `at_once` are requests of `n_ctx` tokens each. In MiB; null where it does not fit.
    """

    host: str | None
    instance: str | None
    model: str
    quantization: str | None
    n_ctx: int
    cache: str
    fits: bool
    layers: int | None
    total_layers: int | None
    gpus_mib: tuple[float, ...] | None
    host_mib: float | None
    at_once: float
    confidence: Literal["exact", "estimate"] | None


class DriverEntry(Frozen):
    """What a driver takes of a GPU for a process of an engine, as it was measured."""

    gpu: str
    driver: str | None
    engine: str
    build: str | None
    mib: int


class FitDocument(Document):
    """With ENGINE OPTIONS `devices`, `host` and `confidence`: exact; estimate: weights and caches
    are exact, the rest is not; unknown: weights alone are known. `notes` say why, and what was
    assumed. With `--gpu` or a manifest `rows`, and `recommended`: a line for a manifest. Of
    `fit export` `drivers`.
    """

    devices: dict[str, DeviceNeed] | None = None
    host: HostNeed | None = None
    confidence: Literal["exact", "estimate", "unknown"] | None = None
    notes: tuple[str, ...] = ()
    quantized: QuantizedEntry | None = None
    rows: tuple[FitRow, ...] = ()
    recommended: tuple[str, ...] = ()
    drivers: tuple[DriverEntry, ...] = ()
