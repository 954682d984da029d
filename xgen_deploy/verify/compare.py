"""Compares an engine's report of its start with what was asked for. Pure."""

from xgen_deploy.backends.sampling import chosen
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.load_report import LoadReport


def differences(instance: Instance, report: LoadReport) -> tuple[str, ...]:
    """One sentence a difference, with both values; what the engine does not report is skipped."""
    return tuple(
        difference
        for difference in (
            _devices(instance, report),
            _layers(instance, report),
            _draft(instance, report),
            _vision(instance, report),
            _context(instance, report),
            _sampling(instance, report),
        )
        if difference
    )


def _devices(instance: Instance, report: LoadReport) -> str | None:
    asked, used = instance.spec.gpus, tuple(d for d in report.devices if d.model_mib > 0)
    layers = instance.spec.n_gpu_layers
    if not asked:
        used += tuple(d for d in report.draft.devices if d.model_mib > 0) if report.draft else ()
        return f"asked for the CPU; the engine used {used[0].name}" if used else None
    why = f": {report.warnings[0]}" if report.warnings else ""
    if not report.devices:
        return (
            f"asked for {_layers_text(layers)} on {len(asked)} GPU"
            f"{'s'[: len(asked) != 1]}; the engine put everything on the CPU{why}"
        )
    if layers != 0 and not used:
        return f"asked for {_layers_text(layers)}; the engine placed no layer on a GPU{why}"
    if len(report.devices) != len(asked):
        gpus = f"{len(asked)} GPU{'s'[: len(asked) != 1]}"
        return f"asked for {gpus}; the engine used {len(report.devices)}"
    return _which(instance, report)


def _which(instance: Instance, report: LoadReport) -> str | None:
    """Vulkan numbers devices in its own order, so the PCI addresses in the report are compared."""
    if not instance.spec.backend.endswith("vulkan") or instance.software_gpu:
        return None
    asked = [g.pci_bus_id for g in instance.gpus]
    used = [d.pci_bus_id for d in report.devices]
    if None in used and len(asked) > 1:
        return "the engine does not report which GPUs it used, so this cannot be verified"
    if None in used or None in asked or used == asked:
        return None
    return (
        f"asked for GPU {', '.join(map(str, asked))}; the engine used {', '.join(map(str, used))}"
    )


def _layers(instance: Instance, report: LoadReport) -> str | None:
    if not instance.spec.gpus or report.offloaded is None:
        return None
    asked = instance.spec.n_gpu_layers
    expected = report.total_layers if asked == "all" else asked
    if expected is None or expected == report.offloaded:
        return None
    return (
        f"asked for {_layers_text(asked)}; the engine placed "
        f"{report.offloaded} of {report.total_layers}"
    )


def _draft(instance: Instance, report: LoadReport) -> str | None:
    """Of an engine that tells of its layers: only that one tells of a draft model's load."""
    asked, draft = instance.spec.draft, report.draft
    if asked is None or report.total_layers is None:
        return None
    if draft is None:
        return "asked for a draft model; the engine loaded none"
    if not draft.used:
        return "asked for a draft model; the engine loaded it and does not use it"
    expected = draft.total_layers if asked.n_gpu_layers == "all" else asked.n_gpu_layers or 0
    if not instance.spec.gpus or expected in (None, draft.offloaded):
        return None
    return (
        f"asked for {_layers_text(asked.n_gpu_layers)} of the draft model; the engine placed "
        f"{draft.offloaded} of {draft.total_layers}"
    )


def _vision(instance: Instance, report: LoadReport) -> str | None:
    if instance.spec.mmproj is None or report.vision is not False:
        return None
    return "asked for a projector; the engine takes no images"


def _context(instance: Instance, report: LoadReport) -> str | None:
    """Engines round a context up to their block size, never down."""
    if report.context is None or report.context >= instance.spec.n_ctx:
        return None
    return f"asked for a context of {instance.spec.n_ctx}; a slot has {report.context}"


def _sampling(instance: Instance, report: LoadReport) -> str | None:
    asked = chosen(instance.spec.sampling).model_dump(exclude_none=True)
    for name, value in asked.items():
        reported = report.sampling.get(name)
        if reported is not None and abs(reported - value) > 1e-4:
            return f"asked for sampling.{name} {value:g}; the engine's default is {reported:g}"
    return None


def _layers_text(layers: int | str | None) -> str:
    return "every layer" if layers in ("all", None) else f"{layers} layer{'s'[: layers != 1]}"
