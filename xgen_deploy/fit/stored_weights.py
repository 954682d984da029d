"""The weights of each rank where a checkpoint is cut over several GPUs, as vLLM lays them out: by
what lies in its files, however it is quantised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_VOCABULARY_STEP = 64
_SCALES = 16  # bytes: four numbers of each layer's attention


@dataclass(frozen=True, kw_only=True)
class StoredWeights:
    """Bytes by what they are (see state/facts.py, WeightFacts). `layers` are all that are in the
    files, of which the first `count` are loaded. `tied`: the output matrix is the embedding.
    `loaded` is what becomes of a byte once it is loaded. `rotations` are the numbers in its table
    of rotations, each of `element` bytes."""

    whole: Mapping[str, int]
    layers: Sequence[Mapping[str, int]]
    count: int
    vocabulary: int
    kv_heads: int
    tied: bool
    loaded: float = 1.0
    rotations: int = 0
    element: int = 2

    def rank_bytes(self, ranks: int, layers: range) -> int:
        """Of one rank among `ranks` that has these `layers`. The first stage of several has the
        embedding, the last one the output matrix."""
        first, last = layers.start == 0, layers.stop == self.count
        sizes = sum(self._layer(self.layers[number], ranks) for number in layers)
        sizes += self._experts(layers) / ranks
        if first or (last and self.tied):
            sizes += self._table("embedding", ranks)
        if first:
            sizes += self.whole.get("vision", 0) / ranks
        if last:
            sizes += self.whole.get("whole", 0) + (0 if self.tied else self._table("head", ranks))
        return int(sizes * self.loaded) + self.rotations * self.element + len(layers) * _SCALES

    def _layer(self, sizes: Mapping[str, int], ranks: int) -> float:
        """Keys and values are on several ranks where there are more ranks than heads of them."""
        cut = (sizes.get("attention", 0) + sizes.get("mlp", 0)) / ranks
        kept = sizes.get("whole", 0) + sizes.get("router", 0)
        return cut + sizes.get("kv", 0) / min(ranks, max(1, self.kv_heads)) + kept

    def _table(self, name: str, ranks: int) -> float:
        """Its rows are padded."""
        padded = -(-self.vocabulary // _VOCABULARY_STEP) * _VOCABULARY_STEP
        return self.whole.get(name, 0) / self.vocabulary * padded / ranks

    def _experts(self, own: range) -> float:
        """A layer with experts has a router, one for drafting that is not loaded has too."""
        routed = [number for number, sizes in enumerate(self.layers) if "router" in sizes]
        size = self.whole.get("experts", 0)
        if not routed:
            return size * len(own) / self.count
        return size * sum(number in own for number in routed) / len(routed)


def stages(layers: int, count: int) -> tuple[range, ...]:
    """The layers of each stage of a pipeline: what does not divide goes to those before the last
    one (vllm/distributed/utils.py, `get_pp_indices`)."""
    sizes = [layers // count] * count
    for place in range(2, layers % count + 2):
        sizes[-place] += 1
    starts = [sum(sizes[:stage]) for stage in range(count)]
    return tuple(range(start, start + size) for start, size in zip(starts, sizes, strict=True))
