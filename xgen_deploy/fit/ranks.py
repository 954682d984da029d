"""The weights of each rank where a model is cut over several GPUs by tensor parallelism, as vLLM
lays them out: from the model's configuration alone, for checkpoints that are not quantised.
"""

from dataclasses import dataclass

_VOCABULARY_STEP = 64
_SCALES = 16  # bytes: four numbers of each layer's attention


@dataclass(frozen=True, kw_only=True)
class Network:
    """Hyperparameters as in a `config.json`. `element` in bytes; `experts` 0: none; `head_norms`:
    queries and keys are normed by head; `biases`: theirs and the values' projections have some."""

    width: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    head_size: int
    vocabulary: int
    tied: bool
    positions: int
    experts: int = 0
    expert_inner: int = 0
    dense_layers: int = 0
    head_norms: bool = False
    biases: bool = False
    element: int = 2

    def rank_bytes(self, ranks: int) -> int:
        """Of one rank among `ranks`."""
        padded = -(-self.vocabulary // _VOCABULARY_STEP) * _VOCABULARY_STEP
        table = padded // ranks * self.width
        numbers = table * (1 if self.tied else 2) + self.width
        numbers += self.layers * self._attention(ranks)
        with_experts = self.layers - self.dense_layers if self.experts else 0
        numbers += with_experts * self._experts(ranks)
        numbers += (self.layers - with_experts) * 3 * self.width * (self.inner // ranks)
        numbers += self.positions * self.head_size  # the table of rotations
        return numbers * self.element + self.layers * _SCALES

    def _attention(self, ranks: int) -> int:
        """Keys and values are on several ranks where there are more ranks than heads of them."""
        queries = self.heads * self.head_size // ranks
        keys = self.kv_heads // min(ranks, self.kv_heads) * self.head_size
        numbers = self.width * (2 * queries + 2 * keys) + 2 * self.width
        numbers += queries + 2 * keys if self.biases else 0
        return numbers + (2 * self.head_size if self.head_norms else 0)

    def _experts(self, ranks: int) -> int:
        """The router is whole on every rank."""
        inner = self.expert_inner // ranks
        return self.experts * (3 * self.width * inner) + self.experts * self.width
