"""What lies in a checkpoint, from the model's configuration alone, where nobody has seen the files:
of decoders in the form of Llama, quantised in groups or not.
"""

from dataclasses import dataclass

from xgen_deploy.fit.stored_weights import StoredWeights

_GROUP = 128


@dataclass(frozen=True, kw_only=True)
class Network:
    """Hyperparameters as in a `config.json`. `element` in bytes; `experts` 0: none; `head_norms`:
    queries and keys are normed by head; `biases`: theirs and the values' projections have some.
    `bits` of a number of the linear layers: fewer than 16 have a scale and a zero for each group.
    """

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
    bits: int = 16

    def stored(self) -> StoredWeights:
        table = self.vocabulary * self.width * self.element
        whole = {"embedding": table, "whole": self.width * self.element}
        if not self.tied:
            whole["head"] = table
        routed = self.layers - self.dense_layers if self.experts else 0
        if routed:
            whole["experts"] = (
                routed * self.experts * self._linear(3 * self.width, self.expert_inner)
            )
        layers = [self._layer(routed=n >= self.layers - routed) for n in range(self.layers)]
        return StoredWeights(
            whole=whole,
            layers=layers,
            count=self.layers,
            vocabulary=self.vocabulary,
            kv_heads=self.kv_heads,
            tied=self.tied,
            rotations=self.positions * self.head_size,
            element=self.element,
        )

    def rank_bytes(self, ranks: int) -> int:
        """Of one rank among `ranks`."""
        return self.stored().rank_bytes(ranks, range(self.layers))

    def _layer(self, *, routed: bool) -> dict[str, int]:
        queries, keys = self.heads * self.head_size, self.kv_heads * self.head_size
        biases = self.element if self.biases else 0
        norms = 2 * self.width + (2 * self.head_size if self.head_norms else 0)
        sizes = {
            "attention": 2 * self._linear(self.width, queries) + biases * queries,
            "kv": 2 * self._linear(self.width, keys) + 2 * biases * keys,
            "whole": norms * self.element,
        }
        if routed:
            return sizes | {"router": self.experts * self.width * self.element}
        return sizes | {"mlp": self._linear(3 * self.width, self.inner)}

    def _linear(self, rows: int, columns: int) -> int:
        numbers = rows * columns
        if self.bits >= 8 * self.element:
            return numbers * self.element
        groups = numbers // _GROUP
        return numbers * self.bits // 8 + groups * 2 + groups * self.bits // 8
