"""Published models, cut to a few blocks and experts, whose weights are all zero: what an engine
allocates for them, without their gigabytes.
"""

from __future__ import annotations

from pathlib import Path

from tests.fit.header_file import write_hollow
from tests.fit.measured import model
from xgen_deploy.fit.shape import BLOCK, ModelShape, Tensor

# Blocks, and experts where it has some. DeepSeek-V2-Lite is told by its 27 blocks.
CUTS = {
    "llama32-1b": (6, 0),
    "qwen25-7b": (2, 0),
    "qwen3-0.6b": (4, 0),
    "qwen3-30b-a3b": (3, 16),
    "gpt-oss-20b": (2, 8),
    "deepseek-v2-lite": (27, 8),
}


def write(path: Path, name: str) -> None:
    general = {"general.name": name, "tokenizer.ggml.model": "no_vocab"}
    write_hollow(path, _cut(model(name), *CUTS[name]), general)


def _cut(published: ModelShape, blocks: int, experts: int) -> ModelShape:
    keys = dict(published.keys) | {
        "block_count": blocks,
        "vocab_size": published.vocabulary,
    }
    if experts:
        keys["expert_count"] = experts
    kept = [t for t in published.tensors if _block(t) < blocks]
    return ModelShape(published.architecture, keys, [_with(t, experts) for t in kept])


def _block(tensor: Tensor) -> int:
    match = BLOCK.fullmatch(tensor.name)
    return int(match[1]) if match else -1


def _with(tensor: Tensor, experts: int) -> Tensor:
    """The last dimension counts experts."""
    if not experts or not any(part in tensor.name for part in ("_exps.", "ffn_gate_inp.")):
        return tensor
    return Tensor(tensor.name, tensor.kind, (*tensor.dims[:-1], experts))
