"""Why something was chosen, in a line of the plan. Pure."""

from collections.abc import Iterator, Sequence

from xgen_deploy.resolve.choosing.available import Available
from xgen_deploy.resolve.choosing.placing import Fit
from xgen_deploy.sizes import size_text
from xgen_deploy.state.gpu import GPUInfo

_SHOWN = 2


def reasons(available: Available, fit: Fit) -> tuple[str, ...]:
    return tuple(_reasons(available, fit))


def _reasons(available: Available, fit: Fit) -> Iterator[str]:
    choice = fit.choice
    if choice.gpus is not None:
        yield _gpus(available, fit)
    if choice.n_ctx is not None:
        how = "as long as it may be" if fit.full else "the longest that fits"
        room = {True: ", twice during a change", False: ""}.get(fit.leaves_room or False, "")
        yield f"n_ctx {choice.n_ctx}: {how}{room if not fit.full else ''}"
        if fit.leaves_room is False:
            yield "there is no room for a second one beside it: a change stops it first"
    if choice.n_gpu_layers is not None and fit.layers is not None:
        yield f"{fit.layers} layer{'s'[: fit.layers != 1]} on the GPU: the most that fit"


def _gpus(available: Available, fit: Fit) -> str:
    if not fit.gpus:
        return f"no GPU to give: it runs on the CPU{_once(available.after_on_host())}"
    free = ", ".join(_free(available, gpu) for gpu in fit.gpus)
    if fit.layers is not None:
        return f"{free}; the place for most layers"
    return f"{free}, the tightest that {'hold' if len(fit.gpus) > 1 else 'holds'} it"


def _free(available: Available, gpu: GPUInfo) -> str:
    free = f"GPU {gpu.label}: {size_text(available.of(gpu) or 0)} to give"
    return free + _once(available.after(gpu))


def _once(after: Sequence[str]) -> str:
    """What has to be gone first."""
    if not after:
        return ""
    more = f" and {len(after) - _SHOWN} more" if len(after) > _SHOWN else ""
    are = "is" if len(after) == 1 else "are"
    return f" once {' and '.join(after[:_SHOWN])}{more} {are} gone"
