"""Headers of published models, made of their hyperparameters; quantised as Q4_K_M is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xgen_deploy.fit.shape import ModelShape, Tensor

F32, Q5_0, Q8_0, Q4_K, Q6_K = 0, 6, 8, 12, 14


@dataclass(frozen=True, kw_only=True)
class Published:
    architecture: str
    blocks: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    vocabulary: int
    head: int = 128
    context: int = 32768
    experts: int = 0
    used: int = 0

    def shape(self) -> ModelShape:
        return ModelShape(self.architecture, self._keys(), list(self._tensors()))

    def _keys(self) -> dict[str, Any]:
        keys: dict[str, Any] = {
            "block_count": self.blocks,
            "context_length": self.context,
            "embedding_length": self.width,
            "feed_forward_length": self.inner,
            "attention.head_count": self.heads,
            "attention.head_count_kv": self.kv_heads,
            "attention.key_length": self.head,
            "attention.value_length": self.head,
            "rope.dimension_count": self.head,
            "vocab_size": self.vocabulary,
        }
        if self.experts:
            keys |= {
                "expert_count": self.experts,
                "expert_used_count": self.used,
                "expert_feed_forward_length": self.inner,
            }
        return keys

    def _tensors(self) -> Iterator[Tensor]:
        yield Tensor("token_embd.weight", Q4_K, (self.width, self.vocabulary))
        yield Tensor("output_norm.weight", F32, (self.width,))
        yield Tensor("output.weight", Q6_K, (self.width, self.vocabulary))
        for number in range(self.blocks):
            for name, kind, dims in self._block(Q6_K if self._is_finer(number) else Q4_K):
                yield Tensor(f"blk.{number}.{name}", _for_rows(dims[0], kind), dims)

    def _is_finer(self, number: int) -> bool:
        eighth = self.blocks // 8
        return not eighth <= number < 7 * eighth or (number - eighth) % 3 == 2

    def _block(self, finer: int) -> Iterator[tuple[str, int, tuple[int, ...]]]:
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        yield "attn_norm.weight", F32, (self.width,)
        yield "attn_q.weight", Q4_K, (self.width, queries)
        yield "attn_k.weight", Q4_K, (self.width, keys)
        yield "attn_v.weight", finer, (self.width, keys)
        yield "attn_output.weight", Q4_K, (queries, self.width)
        if self.architecture == "qwen2":
            for name, size in (("q", queries), ("k", keys), ("v", keys)):
                yield f"attn_{name}.bias", F32, (size,)
        if self.architecture.startswith("qwen3"):
            yield "attn_q_norm.weight", F32, (self.head,)
            yield "attn_k_norm.weight", F32, (self.head,)
        yield "ffn_norm.weight", F32, (self.width,)
        if self.experts:
            yield "ffn_gate_inp.weight", F32, (self.width, self.experts)
        suffix, each = ("_exps", (self.experts,)) if self.experts else ("", ())
        yield f"ffn_gate{suffix}.weight", Q4_K, (self.width, self.inner, *each)
        yield f"ffn_up{suffix}.weight", Q4_K, (self.width, self.inner, *each)
        yield f"ffn_down{suffix}.weight", finer, (self.inner, self.width, *each)


def _for_rows(size: int, kind: int) -> int:
    """What the quantizer falls back to where rows are no multiple of 256."""
    return {Q4_K: Q5_0, Q6_K: Q8_0}.get(kind, kind) if size % 256 else kind


PUBLISHED = {
    "llama-3.3-70b": Published(
        architecture="llama",
        blocks=80,
        width=8192,
        inner=28672,
        heads=64,
        kv_heads=8,
        vocabulary=128256,
        context=131072,
    ),
    "qwen2.5-72b": Published(
        architecture="qwen2",
        blocks=80,
        width=8192,
        inner=29568,
        heads=64,
        kv_heads=8,
        vocabulary=152064,
    ),
    "qwen3-235b-a22b": Published(
        architecture="qwen3moe",
        blocks=94,
        width=4096,
        inner=1536,
        heads=64,
        kv_heads=4,
        vocabulary=151936,
        context=40960,
        experts=128,
        used=8,
    ),
    "qwen2.5-14b": Published(
        architecture="qwen2",
        blocks=48,
        width=5120,
        inner=13824,
        heads=40,
        kv_heads=8,
        vocabulary=152064,
    ),
}
