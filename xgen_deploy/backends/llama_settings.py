"""What llama.cpp's servers make of the settings that they share."""

from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

_BATCH = 2048  # llama.cpp's own, where nothing is stated


def batch_tokens(spec: Spec) -> int:
    """The longest prompt that is decoded in one go."""
    return spec.llama.n_batch or _BATCH


def check_context(declared: InstanceConfig, limit: int | None, n_ctx: int) -> None:
    """Raises Refused for more than the model's own `limit`: it would be cut down quietly."""
    if limit is None or n_ctx <= limit or "--override-kv" in (declared.llama.extra_args or ()):
        return
    raise refuse(
        declared,
        f"n_ctx: {n_ctx} is beyond the {limit} of the model's training, and "
        "llama.cpp gives no request more",
        f"state n_ctx: {limit} or less, or change what the model says of itself: "
        "llama: {extra_args: [--override-kv, …]}",
        "n_ctx",
    )
