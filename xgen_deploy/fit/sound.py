"""Whether a header can be that of a model: what is refused here no engine would load, and its
forecast would be a wrong number.
"""

from collections.abc import Iterator

from xgen_deploy.fit.shape import BLOCK, ModelShape, Tensor

_MOST_BLOCKS = 1000
_MOST_EXPERTS = 10_000
_MOST_BYTES = 1 << 46
_MOST_DIMENSIONS = 4
_LARGEST = 1 << 31
_PER_LAYER = ("attention.head_count", "attention.head_count_kv", "feed_forward_length")
_SIZES = (
    *("attention.key_length", "attention.value_length", "attention.kv_lora_rank", "vocab_size"),
    *("attention.sliding_window", "rope.dimension_count", "ssm.inner_size", "ssm.state_size"),
    *("ssm.conv_kernel", "ssm.group_count", "context_length", "embedding_length"),
)


def problem_of(model: ModelShape) -> str | None:
    """The first thing that is wrong with it, None where nothing is."""
    return next(_problems(model), None)


def _problems(model: ModelShape) -> Iterator[str]:
    yield from _counts(model)
    yield from _lists(model)
    for tensor in model.tensors:
        yield from _of_tensor(tensor)
    names = [tensor.name for tensor in model.tensors]
    if len(set(names)) < len(names):
        yield "it has two tensors of one name"
    if sum(tensor.bytes for tensor in model.tensors) > _MOST_BYTES:
        yield "its tensors claim more than 64 TiB"
    table = model.whole.get("token_embd.weight")
    if table is None:
        yield "it has no `token_embd.weight`: it is no language model"
    elif len(table.dims) < 2 or table.dims[0] != model.width:
        width = f"embeddings of {model.width} numbers"
        yield f"its header tells {width}, its `token_embd.weight` has {list(table.dims)}"
    beyond = next((t.name for t in model.tensors if _block(t) >= model.blocks), None)
    if beyond is not None:
        yield f"its header tells {model.blocks} blocks, and there is `{beyond}`"
    empty = next((n for n, block in enumerate(model.by_block) if not block), None)
    if empty is not None:
        yield f"its header tells {model.blocks} blocks, and block {empty} has no tensors"


def _block(tensor: Tensor) -> int:
    match = BLOCK.fullmatch(tensor.name)
    return int(match[1]) if match else -1


def _counts(model: ModelShape) -> Iterator[str]:
    if not 0 < model.blocks <= _MOST_BLOCKS:
        yield f"its header tells {model.keys.get('block_count', 'no number of')} blocks"
    if not model.width:
        yield "its header tells no `embedding_length`"
    if not model.heads and not all(model.remembers):
        yield "its header tells no `attention.head_count`"
    if not model.trained_context:
        yield "its header tells no `context_length`"
    for key in _SIZES:
        value = model.number(key)
        if not 0 <= value < _LARGEST:
            yield f"its header has {value} as `{key}`"
    for key in ("expert_count", "expert_used_count"):
        if not 0 <= model.number(key) <= _MOST_EXPERTS:
            yield f"its header has {model.number(key)} as `{key}`"
    if model.number("expert_used_count") > model.number("expert_count"):
        yield "its header has more experts in use than there are"


def _lists(model: ModelShape) -> Iterator[str]:
    for key in (*_PER_LAYER, "attention.sliding_window_pattern"):
        value = model.keys.get(key)
        if isinstance(value, list) and len(value) < model.blocks:
            yield f"its header has {len(value)} values in `{key}`, for {model.blocks} blocks"
        values = value if isinstance(value, list) else [value or 0]
        if any(not isinstance(v, int) or not 0 <= v < _LARGEST for v in values):
            yield f"its header has no sizes in `{key}`"


def _of_tensor(tensor: Tensor) -> Iterator[str]:
    """Raises UnknownType."""
    if not 0 < len(tensor.dims) <= _MOST_DIMENSIONS or not all(tensor.dims):
        yield f"its tensor `{tensor.name}` has the dimensions {list(tensor.dims)}"
    elif tensor.bytes > _MOST_BYTES:
        yield f"its tensor `{tensor.name}` claims {tensor.bytes} bytes"
    elif tensor.dims[0] % tensor.per_block:
        yield (
            f"its tensor `{tensor.name}` has rows of {tensor.dims[0]}, which is no multiple of the "
            f"{tensor.per_block} that its type keeps together"
        )
