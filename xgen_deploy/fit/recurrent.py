"""The state of layers that remember instead of attending, whatever the context. As llama.cpp's
`llama_hparams::n_embd_r` and `n_embd_s`.
"""

from xgen_deploy.fit.settings import Settings
from xgen_deploy.fit.shape import ModelShape

_F32 = 4


def state_bytes(settings: Settings, model: ModelShape) -> tuple[int, ...]:
    """By block, 0 where it has none: a state for each sequence."""
    each = _F32 * (_convolved(model) + _state(model)) * max(1, settings.slots)
    return tuple(each if model.remembers[layer] else 0 for layer in range(model.blocks))


def _convolved(model: ModelShape) -> int:
    """The last inputs, which are looked back at."""
    if model.number("wkv.head_size"):
        return model.number("token_shift_count", 2) * model.width
    back = model.number("shortconv.l_cache")
    if back:
        return model.width * (back - 1)
    back = model.number("ssm.conv_kernel")
    if model.number("kda.head_dim"):
        return 3 * max(3, back - 1) * model.heads * model.number("kda.head_dim")
    groups, state = model.number("ssm.group_count"), model.number("ssm.state_size")
    return max(0, back - 1) * (model.number("ssm.inner_size") + 2 * groups * state)


def _state(model: ModelShape) -> int:
    if model.number("wkv.head_size"):
        return model.width * model.number("wkv.head_size")
    if model.number("kda.head_dim"):
        return model.number("kda.head_dim") ** 2 * model.heads
    return model.number("ssm.state_size") * model.number("ssm.inner_size")
