"""What of a model's weights lies on which device: exact, from the header alone."""

from collections.abc import Iterator

from xgen_deploy.fit.placement import HOST, Placement
from xgen_deploy.fit.settings import Device, Settings, stays_on_host
from xgen_deploy.fit.shape import ModelShape, Tensor

# Looked up by token: always on the host.
_INPUTS = ("token_embd", "position_embd", "token_types", "per_layer_token_embd")
_OUTPUTS = ("output", "output_norm", "cls", "cls.output", "dense_2", "dense_3")


def weight_bytes(
    settings: Settings, model: ModelShape, placement: Placement
) -> dict[int | None, int]:
    """By device, the host under None. Raises UnknownType."""
    sums: dict[int | None, int] = {HOST: 0, **dict.fromkeys(range(len(settings.devices)), 0)}
    for tensor, place in _outside_blocks(settings, model, placement):
        sums[place] += _size_on(tensor, place, settings)
    blocks = zip(model.by_block[: model.layers], model.block_kinds, placement.slots, strict=False)
    if settings.keeps_on_host:
        for block, _, slot in blocks:
            for tensor in block.values():
                place = _allowed(tensor, slot, settings)
                sums[place] += _size_on(tensor, place, settings)
        return sums
    known: dict[tuple[int, int | None], int] = {}
    for block, kind, slot in blocks:
        if (kind, slot) not in known:
            known[kind, slot] = sum(_size_on(t, slot, settings) for t in block.values())
        sums[slot] += known[kind, slot]
    return sums


def _outside_blocks(
    settings: Settings, model: ModelShape, placement: Placement
) -> Iterator[tuple[Tensor, int | None]]:
    """Each with its device; one that lies on several is told several times."""
    for name, tensor in model.whole.items():
        stem = name.rpartition(".")[0]
        if stem in _INPUTS:
            yield tensor, HOST
        elif stem.startswith("rope_freqs"):
            for place in dict.fromkeys(p for p in placement.slots[:-1]):
                yield tensor, place
        elif stem in _OUTPUTS:
            yield tensor, _allowed(tensor, placement.output, settings)
        else:
            yield tensor, _allowed(tensor, placement.slots[0], settings)
    if "output.weight" not in model.whole and "token_embd.weight" in model.whole:
        tied = model.whole["token_embd.weight"]
        if placement.output is not None and _has_output(model):
            yield tied, _allowed(tied, placement.output, settings)


def _size_on(tensor: Tensor, place: int | None, settings: Settings) -> int:
    return tensor.bytes if place is None else on_device(tensor, settings.devices[place])


def on_device(tensor: Tensor, device: Device) -> int:
    """CUDA pads a quantised row to 512 elements, for its kernels read that far."""
    size = tensor.bytes
    if device.backend == "cuda":
        row = tensor.dims[0]
        if tensor.is_quantised and row % 512:
            size += tensor.row_bytes(512 - row % 512)
        return -(-size // 128) * 128
    return -(-size // 16) * 16


def _allowed(tensor: Tensor, place: int | None, settings: Settings) -> int | None:
    if place is None or stays_on_host(tensor.name, settings):
        return HOST
    largest = settings.devices[place].largest
    return HOST if largest is not None and tensor.bytes > largest else place


def _has_output(model: ModelShape) -> bool:
    return model.architecture not in ("bert", "jina-bert-v2", "nomic-bert", "nomic-bert-moe")
