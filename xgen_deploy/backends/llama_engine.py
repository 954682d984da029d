"""What llama.cpp's servers have in common."""

from abc import ABC

from xgen_deploy.backends.base import Backend, SmallCache
from xgen_deploy.backends.llama_log import LOADING_STAGES, read_report
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.features import FEATURES
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.refuse import refuse

_BATCH = 2048  # llama.cpp's own, where nothing is stated


class LlamaEngine(Backend, ABC):
    """It loads GGUF, and has the `llama:` section of a model's settings."""

    family = "llama"
    formats = ("gguf",)
    settings = "llama"
    small_cache = SmallCache("q8_0", {"cache_type_k": "q8_0", "cache_type_v": "q8_0"})
    loading_stages = LOADING_STAGES
    features = frozenset(FEATURES)

    def read_report(self, log: str) -> LoadReport | None:
        return read_report(log)

    def stated_slots(self, spec: Spec) -> int | None:
        return spec.llama.parallel

    def batch_tokens(self, spec: Spec) -> int:
        return spec.llama.n_batch or _BATCH

    def check(
        self,
        declared: InstanceConfig,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        n_ctx: int,
    ) -> None:
        _check_settings(declared, gpus)
        _check_context(declared, self.context_limit(model), n_ctx)


def _check_settings(declared: InstanceConfig, gpus: tuple[GPUInfo, ...]) -> None:
    """Raises Refused for what does not fit the GPUs that the host turned out to have."""
    for wrong in declared.llama.contradictions(len(gpus)):
        if wrong.fatal:
            count = (
                f"the placement has {len(gpus)} GPU{'s'[: len(gpus) != 1]}, and " * wrong.by_gpus
            )
            reason = f"{wrong.field} {wrong.found}, but {count}{wrong.rule}"
            raise refuse(declared, reason, field=f"llama.{wrong.field}")


def _check_context(declared: InstanceConfig, limit: int | None, n_ctx: int) -> None:
    """Raises Refused for more than the model's own `limit`: it would be cut down quietly."""
    if limit is None or n_ctx <= limit or "--override-kv" in (declared.llama.extra_args or ()):
        return
    raise refuse(
        declared,
        f"n_ctx: {n_ctx} is beyond the {limit} of the model's training, and "
        "llama.cpp gives no request more",
        f"State `n_ctx: {limit}` or less, or override what the model says: "
        "`llama: {extra_args: [--override-kv, …]}`.",
        "n_ctx",
    )
