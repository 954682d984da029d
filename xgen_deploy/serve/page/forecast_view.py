"""The forecast that the deploy dialog shows of a plan. Pure."""

from dataclasses import dataclass

from xgen_deploy.sizes import size_text
from xgen_deploy.state.plan import Plan


@dataclass(frozen=True)
class DeviceLine:
    """`left` in bytes; negative: so much is short. None: not known."""

    name: str
    total: str
    left: str | None
    short: bool


@dataclass(frozen=True)
class ForecastView:
    """Of the instance that is chosen; `layers` are the model's own count, `refusals` (reason, way
    out).
    """

    devices: tuple[DeviceLine, ...]
    exact: bool
    layers: int | None
    refusals: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def forecast_view(plan: Plan, host: str, name: str) -> ForecastView:
    host_plan = plan.hosts[host]
    operation = next((o for o in host_plan.operations if o.name == name), None)
    instance = operation.instance if operation is not None else None
    told = instance.forecast if instance is not None else None
    left = {memory.gpu: None if memory.at_most else memory.left for memory in host_plan.memory}
    devices = (
        []
        if told is None or instance is None
        else [
            _line(f"GPU {gpu.index}", need.total, left.get(gpu.identity))
            for gpu, need in zip(instance.gpus, told.devices, strict=False)
        ]
    )
    if told is not None and told.host.total:
        devices.append(_line(host, told.host.total, None))
    return ForecastView(
        devices=tuple(devices),
        exact=told is None or told.exact,
        layers=instance.total_layers if instance is not None else None,
        refusals=tuple(
            (r.reason, r.hint or "") for r in host_plan.refusals if r.instance in (name, None)
        ),
        notes=(told.fails,) if told is not None and told.fails else (),
    )


def _line(name: str, total: int, left: int | None) -> DeviceLine:
    text = None if left is None else size_text(abs(left))
    return DeviceLine(name, size_text(total), text, short=left is not None and left < 0)
