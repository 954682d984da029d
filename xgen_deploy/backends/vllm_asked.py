"""What an instance asks of vLLM that decides how much memory it takes, and the engine's own numbers
where nothing is stated (vllm/config/cache.py and engine/arg_utils.py of 0.32).
"""

import math
import re
from dataclasses import dataclass

from xgen_deploy.backends.vllm_config import number
from xgen_deploy.state.extra_args import values_of
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.settings import VllmSettings

SHARE = 0.92
MIB, GIB = 1 << 20, 1 << 30
_GRAPHS = 512 * MIB
_COPIES = 3  # of the logits, while a sampler works
_BATCH = frozenset(["--max-num-batched-tokens"])
_BLOCK = frozenset(["--block-size"])
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)([kKmMgGtT]?)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """`length` is of the longest request; `ranks` of its GPUs compute each layer together.
    `learned` is what its last start computed with; None before the first."""

    model: ModelFacts
    settings: VllmSettings
    length: int
    gpus: tuple[GPUInfo, ...]
    ranks: int
    learned: int | None = None

    @property
    def totals(self) -> list[int]:
        """Bytes of each GPU; 0 where it is not known."""
        return [(gpu.given_mb or 0) * MIB for gpu in self.gpus]

    @property
    def budgets(self) -> list[int]:
        """What it takes of each for itself. The driver's context is not in it."""
        share = self.settings.gpu_memory_utilization or SHARE
        return [math.ceil(total * share) for total in self.totals]

    @property
    def cache_bytes(self) -> int | None:
        return _bytes(self.settings.kv_cache_memory_bytes)

    @property
    def requests(self) -> int:
        return self.settings.max_num_seqs or (1024 if self._large else 256)

    @property
    def batch(self) -> int:
        """Tokens that are computed at once."""
        stated = _stated(self.settings, _BATCH)
        if stated is not None:
            return stated
        largest = 16384 if min(self.totals) >= 160 * GIB else 8192
        return min(largest if self._large else 2048, self.requests * self.length)

    @property
    def block(self) -> int | None:
        return _stated(self.settings, _BLOCK)

    @property
    def allowance(self) -> int:
        """For what it computes with. Nobody knows that before it ran once."""
        if self.learned is not None:
            return self.learned
        words, width = (number(self.model, key) or 0 for key in ("vocab_size", "hidden_size"))
        inner = number(self.model, "intermediate_size") or 0
        logits = _COPIES * self.requests * words * 4
        activations = self.batch * (8 * width + 3 * inner // self.ranks) * 2
        return max(logits, activations) + (0 if self.settings.enforce_eager else _GRAPHS)

    @property
    def _large(self) -> bool:
        """Whether it batches as on a large GPU; to it an A100 is none."""
        a100 = any("a100" in (gpu.device_name or "").lower() for gpu in self.gpus)
        return min(self.totals) >= 70 * GIB and not a100


def _stated(settings: VllmSettings, options: frozenset[str]) -> int | None:
    text = next(values_of(settings.extra_args or (), options), "")
    size = _bytes(text) if text else None
    return size or None


def _bytes(stated: int | str | None) -> int | None:
    """In the engine's notation: `8G` are powers of 1024, `8g` of 1000."""
    if stated is None or isinstance(stated, int):
        return stated
    match = _SIZE.fullmatch(stated)
    if match is None:
        return None
    power = "kmgt".find(match[2].lower()) + 1 if match[2] else 0
    return int(float(match[1]) * (1024 if match[2].isupper() else 1000) ** power)
