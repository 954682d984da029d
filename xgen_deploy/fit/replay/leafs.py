"""What a graph begins with: weights, caches and the inputs of a batch, each made once."""

from xgen_deploy.fit.cache import LayerCache, cache_bytes
from xgen_deploy.fit.placement import Placement
from xgen_deploy.fit.replay.graph import F16, F32, I32, I64, Node, graph_input
from xgen_deploy.fit.settings import Effective, Settings, stays_on_host
from xgen_deploy.fit.shape import ModelShape, Tensor
from xgen_deploy.fit.weights import on_device

_FEW = 32
_VALUE_TURN = 64


class Leafs:
    """Of one batch of `sizes.tokens`. `host` is the number of the host among the devices."""

    def __init__(
        self,
        settings: Settings,
        model: ModelShape,
        sizes: Effective,
        placement: Placement,
        caches: tuple[LayerCache | None, ...],
    ) -> None:
        self.settings, self.model, self.sizes = settings, model, sizes
        self.placement, self.caches = placement, caches
        self.host = len(settings.devices)
        self.positions = graph_input((sizes.tokens,), I32)
        self.kept_rows = graph_input((sizes.outputs,), I32)
        self.has_windows = any(cache is not None and cache.slides for cache in caches)
        full = settings.all_layers(model)
        self.pins_norms = (full or sizes.tokens < _FEW) and not settings.simulated
        self._weights: dict[tuple[str, int], Node] = {}
        self._masks: dict[bool, Node] = {}
        self._rows: dict[bool, tuple[Node, Node]] = {}
        self._turns: dict[bool, tuple[Node | None, Node | None]] = {}

    def has(self, layer: int, name: str) -> bool:
        return name in self.model.by_block[layer]

    def block(self, layer: int, name: str) -> Node:
        """A weight of a block."""
        return self._weight(self.model.by_block[layer][name], self._device(layer))

    def output(self, *names: str) -> Node:
        """The first of these that there is, where the output layer is."""
        found = next(self.model.whole[n] for n in names if n in self.model.whole)
        place = self.placement.output
        return self._weight(found, self.host if place is None else place)

    def table(self, name: str) -> Node:
        """One that rows are looked up in: on the host."""
        return self._weight(self.model.whole[name], self.host)

    def first(self, name: str) -> Node:
        """A weight before the first block, where that is."""
        return self._weight(self.model.whole[name], self._device(0))

    def rope_factors(self, layer: int) -> list[Node]:
        found = self.model.whole.get("rope_freqs.weight")
        return [] if found is None else [self._weight(found, self._device(layer))]

    def cache_device(self, layer: int) -> int:
        return self._device(layer) if self.settings.cache_on_device else self.host

    def cached(self, layer: int) -> tuple[Node, Node]:
        """A layer's keys and values."""
        cache = self.caches[layer]
        if cache is None:
            raise KeyError(f"block {layer} has no cache")
        rows, device = cache.cells * self.sizes.streams, self.cache_device(layer)
        kinds = (self.settings.key_type, self.settings.value_type)
        key_kind, value_kind = (cache_bytes(kind, 32) / 32 for kind in kinds)
        return (
            Node("none", (cache.key_elements, rows), key_kind, buffer=device),
            Node("none", (cache.value_elements, rows), value_kind, buffer=device),
        )

    def mask(self, cache: LayerCache) -> Node:
        """What each token sees: one for each kind of cache."""
        if cache.slides not in self._masks:
            streams = self.sizes.streams
            shape = (cache.cells, self.sizes.tokens // streams, 1, streams)
            self._masks[cache.slides] = graph_input(shape, F16 if self.settings.flash else F32)
        return self._masks[cache.slides]

    def rows(self, cache: LayerCache) -> tuple[Node, Node]:
        """Where in a cache the batch's keys and values go; without flash attention, every value."""
        if cache.slides not in self._rows:
            count = self.sizes.tokens
            values = count if self.settings.flash else count * cache.value_elements
            self._rows[cache.slides] = graph_input((count,), I64), graph_input((values,), I64)
        return self._rows[cache.slides]

    def turns(self, cache: LayerCache) -> tuple[Node | None, Node | None]:
        """A quantised cache is rotated before it is written, so that its outliers are spread: the
        matrices for keys and values."""
        if cache.slides not in self._turns:
            size = self.model.key_size
            keys = _turn(self.settings.key_type, size & -size)
            self._turns[cache.slides] = keys, _turn(self.settings.value_type, _VALUE_TURN)
        return self._turns[cache.slides]

    def _device(self, layer: int) -> int:
        place = self.placement.slots[layer]
        return self.host if place is None else place

    def _weight(self, tensor: Tensor, device: int) -> Node:
        if (tensor.name, device) not in self._weights:
            place = device
            if device < self.host:
                largest = self.settings.devices[device].largest
                too_large = largest is not None and tensor.bytes > largest
                if too_large or stays_on_host(tensor.name, self.settings):
                    place = self.host
            node = Node("none", tensor.dims, weight=True, buffer=place, size=tensor.bytes)
            if self.settings.devices:
                node.device_size = on_device(tensor, self.settings.devices[0])
            self._weights[tensor.name, device] = node
        return self._weights[tensor.name, device]


def _turn(kind: str, size: int) -> Node | None:
    return graph_input((size, size), F32) if kind[0] in "qi" else None
