"""The engine's own report held against what was asked: pure."""

from xgen_deploy.backends.sampling import chosen
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.load_report import LoadReport


def differences(instance: Instance, report: LoadReport) -> tuple[str, ...]:
    """Sentences with both values; () where all is as asked or the engine did not say."""
    return tuple(
        d
        for d in (
            _devices(instance, report),
            _layers(instance, report),
            _context(instance, report),
            _sampling(instance, report),
        )
        if d
    )


def _devices(instance: Instance, report: LoadReport) -> str | None:
    wanted, used = instance.spec.gpus, tuple(d for d in report.devices if d.model_mib > 0)
    layers = instance.spec.n_gpu_layers
    if not wanted:
        return f"asked for the CPU; the engine used {used[0].name}" if used else None
    why = f": {report.warnings[0]}" if report.warnings else ""
    if not report.devices:
        return (
            f"asked for {_layers_text(layers)} on {len(wanted)} GPU"
            f"{'s'[: len(wanted) != 1]}; the engine put everything on the CPU{why}"
        )
    if layers != 0 and not used:
        return f"asked for {_layers_text(layers)}; the engine placed no layer on a GPU{why}"
    if len(report.devices) != len(wanted):
        return f"asked for {len(wanted)} GPUs; the engine used {len(report.devices)}"
    return _which(instance, report)


def _which(instance: Instance, report: LoadReport) -> str | None:
    """Vulkan numbers devices as it finds them, so the engine's PCI addresses have to tell."""
    if not instance.spec.backend.endswith("vulkan") or instance.software_gpu:
        return None
    wanted = [g.pci_bus_id for g in instance.gpus]
    used = [d.pci_bus_id for d in report.devices]
    if None in used and len(wanted) > 1:
        return "the engine does not say which of several GPUs it used, so it cannot be trusted"
    if None in used or None in wanted or used == wanted:
        return None
    return (
        f"asked for GPU {', '.join(map(str, wanted))}; the engine used {', '.join(map(str, used))}"
    )


def _layers(instance: Instance, report: LoadReport) -> str | None:
    if not instance.spec.gpus or report.offloaded is None:
        return None
    asked = instance.spec.n_gpu_layers
    wanted = report.total_layers if asked == "all" else asked
    if wanted is None or wanted == report.offloaded:
        return None
    return (
        f"asked for {_layers_text(asked)}; the engine placed "
        f"{report.offloaded} of {report.total_layers}"
    )


def _context(instance: Instance, report: LoadReport) -> str | None:
    """Engines round a context up to their block size, never down."""
    if report.context is None or report.context >= instance.spec.n_ctx:
        return None
    return f"asked for a context of {instance.spec.n_ctx}; a slot has {report.context}"


def _sampling(instance: Instance, report: LoadReport) -> str | None:
    asked = chosen(instance.spec.sampling).model_dump(exclude_none=True)
    for name, value in asked.items():
        found = report.sampling.get(name)
        if found is not None and abs(found - value) > 1e-4:
            return f"asked for sampling.{name} {value:g}; the engine's default is {found:g}"
    return None


def _layers_text(layers: int | str | None) -> str:
    return "every layer" if layers in ("all", None) else f"{layers} layers"
