"""What an engine said of its own start: devices, layers, buffers, context."""

from pydantic import Field

from xgen_deploy.values import Frozen


class DeviceReport(Frozen):
    """One device that the engine used; sizes in MiB."""

    name: str
    description: str | None = None
    pci_bus_id: str | None = None
    model_mib: float = 0.0
    kv_mib: float = 0.0
    compute_mib: float = 0.0


class LoadReport(Frozen):
    """`offloaded` and `total_layers` are the engine's words; on no device nothing is offloaded,
    whatever the log claims (it prints «offloaded 19/19» without any GPU). `context` is per slot.
    `sampling` are the defaults that the running engine names, by the manifest's words.
    `max_concurrency` is how many requests of the whole context the KV cache holds.
    """

    devices: tuple[DeviceReport, ...] = ()
    offloaded: int | None = None
    total_layers: int | None = None
    context: int | None = None
    slots: int | None = None
    kv_cache_tokens: int | None = None
    max_concurrency: float | None = None
    sampling: dict[str, float] = Field(default_factory=dict)
    version: str | None = None
    quantization: str | None = None
    host_mib: dict[str, float] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
