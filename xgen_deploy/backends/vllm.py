"""vLLM, in its three builds: `vllm serve MODEL`, one command for all of them.

Flags: `vllm serve --help=all` of 0.32, full names only, for the parser takes any unambiguous
prefix for the flag that it begins.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

from xgen_deploy.backends.base import (
    Backend,
    Command,
    KeyFile,
    LoadMetrics,
    MemoryShare,
    Place,
    SmallCache,
    Unsupported,
)
from xgen_deploy.backends.entrypoint import Program
from xgen_deploy.backends.gpu_order import cuda_numbered, hip_visible, numbered_gpus
from xgen_deploy.backends.hardware import CPU, CUDA, ROCM
from xgen_deploy.backends.sampling import chosen
from xgen_deploy.backends.vllm_asked import SHARE, Asked
from xgen_deploy.backends.vllm_entrypoint import (
    NOT_SERVING,
    PROGRAMS,
    needs_serve,
    serves_by,
    takes_model_option,
)
from xgen_deploy.backends.vllm_forecast import vllm_forecast
from xgen_deploy.backends.vllm_learned import learned
from xgen_deploy.backends.vllm_log import LOADING_STAGES, read_report
from xgen_deploy.backends.vllm_pages import MODELS, VERSION, report_endpoint
from xgen_deploy.backends.vllm_sizes import check_sizes, context_limit
from xgen_deploy.backends.vllm_ways_out import ways_out
from xgen_deploy.backends.vllm_weights import check_weights
from xgen_deploy.frozen import replace as with_fields
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo
from xgen_deploy.state.instance import Engine, Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.record import InstanceRecord

# No calls home, nothing fetched. USER: PyTorch asks for the name of a user that has none.
_OWN = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "USER": "xgen",
}
_SHM = "8g"
# Upstream's documented list (vLLM docs, gpu.rocm.inc.md) and gfx1102, which runs in the field.
_GFX = frozenset(
    [
        "gfx90a",
        "gfx942",
        "gfx950",
        "gfx1100",
        "gfx1101",
        "gfx1102",
        "gfx1150",
        "gfx1151",
        "gfx1200",
        "gfx1201",
    ]
)
_SLOTS = 256  # where the manifest says nothing: `--max-num-seqs`
_DRAFTED = 5
# `--max-lora-rank`: unless stated, and what it can be (vllm/config/lora.py).
_RANK = 16
_RANKS = (32, 64, 128, 256, 320, 512)


class Vllm(Backend):
    """`name` is vllm-cuda, vllm-rocm or vllm-cpu. Its `--help` takes twenty seconds."""

    title = "vLLM"
    family = "vllm"
    formats = ("hf",)
    container_port = 8000
    api_key = KeyFile("vllm.yaml", "vllm-key.yaml.j2", r'api-key: \[(".*")\]\n?')
    settings = "vllm"
    usual_cache = "auto"
    small_cache = SmallCache("fp8", {"kv_cache_dtype": "fp8"})
    features = frozenset({"draft", "loras", "chat_template"})
    offloads_layers = False
    checks_model_name = True
    joins_values = True
    names_adapters = True
    entrypoint = ("vllm", "serve")
    programs = PROGRAMS
    not_serving = NOT_SERVING
    report_endpoints = (VERSION, MODELS)
    loading_stages = LOADING_STAGES
    counters = (
        "vllm:iteration_tokens_total_count",
        "vllm:iteration_tokens_total_sum",
        "vllm:prompt_tokens_total",
        "vllm:generation_tokens_total",
    )
    in_flight = ("vllm:num_requests_running", "vllm:num_requests_waiting")
    load_metrics = LoadMetrics(
        generated="vllm:generation_tokens_total",
        prompt="vllm:prompt_tokens_total",
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
    )

    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported when a stated extra argument takes what the tool needs itself."""
        spec = instance.spec
        extra = spec.vllm.extra_args or ()
        if spec.api_key and any(a == "--config" or a.startswith("--config=") for a in extra):
            raise Unsupported(
                "vllm.extra_args has --config, and the api_key reaches vLLM by a --config file of "
                "its own; put the other settings into vllm.extra_args one by one"
            )
        entrypoint = instance.engine.entrypoint if place.contained else ()
        values = {
            "serve": not place.contained or needs_serve(entrypoint),
            "model_option": takes_model_option(entrypoint),
            "place": place,
            "spec": spec,
            "vllm": spec.vllm,
            "tensor_parallel_size": tensor_parallel_size(spec),
            "generation": _generation(spec),
            "speculative": _speculative(spec),
            "loras": [_as_json({"name": n, "path": f.path}) for n, f in spec.loras.items()],
            "lora_rank": _lora_rank(spec),
            "mm_limit": _as_json(limit) if (limit := spec.vllm.limit_mm_per_prompt) else None,
        }
        env = self._environment(instance)
        return Command(
            "vllm.args.j2",
            values,
            env,
            extra=extra,
            compiles=True,
            shm_size=_SHM,
            numbered_gpus=numbered_gpus(instance) if self.name == "vllm-cuda" else (),
        )

    def serves_by(self, program: Program) -> bool:
        return serves_by(program)

    def report_endpoint(self, report: LoadReport, path: str, page: str) -> LoadReport:
        return report_endpoint(report, path, page)

    def read_report(self, log: str) -> LoadReport | None:
        return read_report(log)

    def slots(self, spec: Spec) -> int:
        return spec.vllm.max_num_seqs or _SLOTS

    def longest_input(self, instance: Instance) -> int:
        """Its batches of these hold a whole one, whatever is stated of them."""
        return instance.spec.n_ctx

    def memory_share(self, spec: Spec) -> MemoryShare | None:
        stated = spec.vllm.gpu_memory_utilization
        if not spec.gpus:
            return None
        grows = spec.vllm.kv_cache_memory_bytes is None
        setting = "vllm.gpu_memory_utilization"
        return MemoryShare(stated or SHARE, setting, stated is not None, grows)

    def with_memory_share(self, spec: Spec, share: float) -> Spec:
        return with_fields(spec, vllm=with_fields(spec.vllm, gpu_memory_utilization=share))

    def forecast(
        self,
        spec: Spec,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,  # noqa: ARG002
    ) -> Forecast | None:
        asked = _asked(spec, model, gpus)
        return _told(asked, spec) if asked else None

    def forecast_after(
        self, spec: Spec, model: ModelFacts, gpus: tuple[GPUInfo, ...], last: InstanceRecord
    ) -> Forecast | None:
        asked = _asked(spec, model, gpus)
        seen = learned(asked, spec, last) if asked else None
        return None if asked is None or seen is None else _told(replace(asked, learned=seen), spec)

    def context_limit(self, model: ModelFacts) -> int | None:
        return context_limit(model)

    def check(
        self, declared: InstanceConfig, model: ModelFacts, gpus: tuple[GPUInfo, ...], n_ctx: int
    ) -> None:
        check_weights(declared, model)
        check_sizes(declared, model, gpus, n_ctx)

    def _environment(self, instance: Instance) -> dict[str, str]:
        """GPUs by number: vLLM before August 2026 knows no UUIDs there (vllm#13815)."""
        if self.name == "vllm-cuda":
            return _OWN | cuda_numbered(instance)
        if self.name == "vllm-rocm":
            return _OWN | hip_visible(instance)
        return dict(_OWN)


VLLM = (
    Vllm("vllm-cuda", "nvidia", replace(CUDA, needs_gpu=True)),
    Vllm("vllm-rocm", "amd", replace(ROCM, needs_gpu=True, gfx=_GFX)),
    Vllm("vllm-cpu", "cpu", CPU, automatic=False),
)


def tensor_parallel_size(spec: Spec) -> int | None:
    """As stated; else every GPU over the pipeline's stages. None: the engine's own, which is 1."""
    if spec.vllm.tensor_parallel_size is not None or not spec.gpus:
        return spec.vllm.tensor_parallel_size
    return len(spec.gpus) // (spec.vllm.pipeline_parallel_size or 1)


def _asked(spec: Spec, model: ModelFacts, gpus: tuple[GPUInfo, ...]) -> Asked | None:
    """None on the CPU, and where its GPUs are not as many as it asks for."""
    ranks = tensor_parallel_size(spec) or 1
    if not gpus or len(gpus) != ranks * (spec.vllm.pipeline_parallel_size or 1):
        return None
    return Asked(model=model, settings=spec.vllm, length=spec.n_ctx, gpus=gpus, ranks=ranks)


def _told(asked: Asked, spec: Spec) -> Forecast | None:
    told = vllm_forecast(asked)
    if told is None:
        return None
    ways = tuple(ways_out(asked)) if told.fails else ()
    return replace(told, notes=(*told.notes, *_uncounted(spec)), ways_out=ways)


def _uncounted(spec: Spec) -> Iterator[str]:
    if spec.draft is not None:
        yield "the draft model is not counted"
    if spec.loras:
        yield "adapters are not counted"


def _generation(spec: Spec) -> str | None:
    """Sampling defaults in vLLM's own names, as JSON."""
    sampling = chosen(spec.sampling)
    named = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repeat_penalty,
        "max_new_tokens": sampling.max_tokens,
    }
    stated = {k: v for k, v in named.items() if v is not None}
    return json.dumps(stated) if stated else None


def _speculative(spec: Spec) -> str | None:
    """vLLM finds out itself of which kind the draft model is, but has no number of tokens."""
    if spec.draft is None:
        return None
    tokens = spec.draft.tokens or _DRAFTED
    return _as_json({"model": spec.draft.path, "num_speculative_tokens": tokens})


def _lora_rank(spec: Spec) -> int | None:
    """What every adapter fits into; None where the engine's own does, or no adapter tells."""
    rank = max((f.rank or 0 for f in spec.loras.values()), default=0)
    return next((r for r in _RANKS if rank <= r), rank) if rank > _RANK else None


def _as_json(value: Mapping[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False)
