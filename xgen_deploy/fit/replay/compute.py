"""The bytes of the compute buffers, by replaying what the engine does."""

from collections.abc import Callable, Sequence

from xgen_deploy.fit.cache import has_cache, layer_caches
from xgen_deploy.fit.placement import place
from xgen_deploy.fit.replay.allocate import Allocation, Room
from xgen_deploy.fit.replay.decoder import decoder_graph
from xgen_deploy.fit.replay.encoder import encoder_graph
from xgen_deploy.fit.replay.graph import Graph, Node
from xgen_deploy.fit.replay.leafs import Leafs
from xgen_deploy.fit.replay.reorder import reordered
from xgen_deploy.fit.replay.repeats import replayed_blocks
from xgen_deploy.fit.replay.schedule import Schedule, schedule
from xgen_deploy.fit.settings import Effective, Settings, effective
from xgen_deploy.fit.shape import ModelShape

_ALIGNMENT = {"cuda": 128, "vulkan": 16}
_CHUNK = {"vulkan": 1 << 30}
_HOST_ALIGNMENT = 64
# Of keys and values: what CUDA's flash attention has kernels for.
_HEADS = {(size, size) for size in (40, 64, 72, 80, 96, 112, 128, 256, 512)}
_HEADS |= {(192, 128), (320, 256), (576, 512)}


def compute_bytes(settings: Settings, model: ModelShape) -> list[int]:
    """By device, the host last."""
    sizes = effective(settings, model)
    graph, planned = _scheduled(settings, model, sizes)
    devices = settings.devices
    for split in planned.splits:
        if split.device < len(devices):
            vulkan = devices[split.device].backend == "vulkan"
            split.nodes = reordered(split.nodes) if vulkan else _with_kept(split.nodes)
    rooms = [Room(_ALIGNMENT[d.backend], _CHUNK.get(d.backend)) for d in devices]
    rooms.append(Room(_HOST_ALIGNMENT))

    def size_on(node: Node, device: int) -> int:
        if device == len(devices):
            return node.size
        size = node.size if node.device_size is None else node.device_size
        return size + (node.extra if devices[device].backend == "cuda" else 0)

    Allocation(planned, graph.leafs, rooms, size_on)
    return [room.peak for room in rooms]


def _with_kept(nodes: Sequence[Node]) -> list[Node]:
    """A reader of what is kept after each node that keeps it."""
    order: list[Node] = []
    for node in nodes:
        order.append(node)
        if node.keeps:
            first = node.keeps[0]
            order.append(Node("none", first.shape, srcs=list(node.keeps), view_of=first))
    return order


def _scheduled(settings: Settings, model: ModelShape, sizes: Effective) -> tuple[Graph, Schedule]:
    """Of a few blocks where they stand for all. They do not where copies of what goes to and fro
    within blocks are kept: where several batches are computed at a time."""
    ahead, devices = runs_ahead(settings, model), len(settings.devices)
    placement, caches = place(settings, model), layer_caches(settings, model, sizes)
    build = decoder_graph if has_cache(model) else encoder_graph

    def scheduled(blocks: Callable[[Leafs], Sequence[int]]) -> tuple[Graph, Schedule]:
        leafs = Leafs(settings, model, sizes, placement, caches)
        graph = build(leafs, blocks(leafs))
        return graph, schedule(
            graph,
            devices,
            moves=settings.copies_operations,
            supports=lambda device, node: _supports(settings, device, node),
            ahead=ahead,
            unread=settings.mixes_inputs,
        )

    graph, planned = scheduled(replayed_blocks)
    if ahead and len(planned.splits) > devices + 1:
        return scheduled(lambda leafs: range(leafs.model.layers))
    return graph, planned


def runs_ahead(settings: Settings, model: ModelShape) -> bool:
    """Several GPUs compute on different batches at a time (llama-context.cpp)."""
    return (
        len(settings.devices) > 1
        and not settings.one_device
        and settings.all_layers(model)
        and settings.cache_on_device
        and not settings.overrides
    )


def _supports(settings: Settings, device: int, node: Node) -> bool:
    own = settings.devices[device]
    if node.op == "flash":
        sizes = node.srcs[1].shape[0], node.srcs[2].shape[0]
        if not attends(settings, own.backend, sizes):
            return False
    if own.largest is None:
        return True
    return all(n.size <= own.largest for n in (node, *node.srcs))


def has_flash(settings: Settings, model: ModelShape) -> bool:
    """Whether the engine switches flash attention on by itself: where its devices have it and are
    where the caches are, but with quantised values without a look."""
    if settings.value_type[0] in "qi":
        return True
    if settings.moves_sinks and _has_sinks_on_host(settings, model):
        return False
    sizes = model.key_size, model.value_size
    if model.is_mla:
        rank = model.number("attention.kv_lora_rank")
        sizes = rank + model.number("rope.dimension_count"), rank
    return all(attends(settings, device.backend, sizes) for device in settings.devices)


def _has_sinks_on_host(settings: Settings, model: ModelShape) -> bool:
    moves = settings.devices and settings.copies_operations and not settings.all_layers(model)
    return bool(moves) and "attn_sinks.weight" in model.by_block[0]


def attends(settings: Settings, backend: str, sizes: tuple[int, int]) -> bool:
    """Whether flash attention with caches of these types, of heads of these sizes, has a kernel on
    a device."""
    keys, values = settings.key_type, settings.value_type
    if backend == "vulkan":
        return (keys == "bf16") == (values == "bf16")
    if sizes not in _HEADS:
        return False
    if settings.mixes_cache_types:
        return "iq4_nl" not in (keys, values)
    return keys == values and keys in ("f16", "bf16", "q8_0", "q4_0")
