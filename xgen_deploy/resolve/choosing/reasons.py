"""Why something was chosen, in a line of the plan. Pure."""

from collections.abc import Iterator

from xgen_deploy.resolve.choosing.available import Available
from xgen_deploy.resolve.choosing.placing import Fit
from xgen_deploy.sizes import size_text
from xgen_deploy.state.instance_config import InstanceConfig


def reasons(config: InstanceConfig, available: Available, fit: Fit) -> tuple[str, ...]:
    return tuple(_reasons(config, available, fit))


def _reasons(config: InstanceConfig, available: Available, fit: Fit) -> Iterator[str]:
    choice = fit.choice
    if choice.gpus is not None:
        yield _gpus(config, available, fit)
    if choice.n_ctx is not None:
        how = "as long as it may be" if fit.full else "the longest that fits"
        room = {True: ", twice during a change", False: ""}.get(fit.leaves_room or False, "")
        yield f"n_ctx {choice.n_ctx}: {how}{room if not fit.full else ''}"
        if fit.leaves_room is False:
            yield "there is no room for a second one beside it: a change stops it first"
    if choice.n_gpu_layers is not None and fit.layers is not None:
        yield f"{fit.layers} layer{'s'[: fit.layers != 1]} on the GPU: the most that fit"


def _gpus(config: InstanceConfig, available: Available, fit: Fit) -> str:
    if not fit.gpus:
        return "no GPU to give: it runs on the CPU"
    free = ", ".join(
        f"GPU {g.label}: {size_text(available.of(g, config.name) or 0)} to give" for g in fit.gpus
    )
    if fit.layers is not None:
        return f"{free}; the place for most layers"
    return f"{free}, the tightest that {'hold' if len(fit.gpus) > 1 else 'holds'} it"
