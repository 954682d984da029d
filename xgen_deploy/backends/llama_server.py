"""llama-server, in its four builds: they differ by binary or image and by how GPUs are named.

Flags: `llama-server --help` of the build itself, and tools/server/README.md of llama.cpp.
"""

from collections.abc import Sequence

from xgen_deploy.backends.base import Command, KeyFile, LoadMetrics, Place, Unsupported
from xgen_deploy.backends.gpu_order import cuda_visible, pci_places
from xgen_deploy.backends.hardware import AMD, ANY, CPU, CUDA, ROCM, Hardware
from xgen_deploy.backends.llama_beside import with_beside
from xgen_deploy.backends.llama_builds import build_with
from xgen_deploy.backends.llama_companions import draft_options, lora_arguments
from xgen_deploy.backends.llama_engine import LlamaEngine
from xgen_deploy.backends.llama_forecast import (
    Start,
    llama_forecast,
    llama_least,
    llama_most_layers,
)
from xgen_deploy.backends.llama_inputs import (
    batches,
    check_inputs,
    check_pooling,
    keeps_no_tokens,
    longest_input,
    pooling_of,
)
from xgen_deploy.backends.llama_props import PROPS, with_props
from xgen_deploy.backends.sampling import chosen
from xgen_deploy.fit.layers import Choice
from xgen_deploy.frozen import replace
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.forecast import Forecast
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.instance import Engine, Instance, Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.settings import LlamaSettings

_PREFIX = {
    "llama-server-cuda": "CUDA",
    "llama-server-rocm": "ROCm",
    "llama-server-vulkan": "Vulkan",
}
_VISIBLE = {
    "llama-server-cuda": "CUDA_VISIBLE_DEVICES",
    "llama-server-rocm": "ROCR_VISIBLE_DEVICES",
    "llama-server-vulkan": "GGML_VK_VISIBLE_DEVICES",
}
_VULKAN = Hardware(
    uses=ANY,
    chosen_on=AMD | {GPUType.UNKNOWN},
    vulkan=True,
    passed_over="taken on AMD and other GPUs; here CUDA serves",
)
# Where the manifest says nothing. It is the engine's own number too, but those share one context.
_SLOTS = 4


class LlamaServer(LlamaEngine):
    """One of the four builds; `name` is `llama-server-` and the build."""

    title = "llama-server"
    container_port = 8080
    api_key = KeyFile("api-key", "api-key.j2")
    has_help = True
    trial_with_gguf = True
    entrypoint = ("llama-server",)
    # The second is its name of before June 2024.
    programs = frozenset({"llama-server", "server", "llama-server-hip"})
    not_serving = frozenset({"tools.sh", "llama-cli", "llama-completion", "llama-bench"})
    report_endpoints = (PROPS,)
    # `tokens_predicted_total` alone moves when a request ends.
    counters = (
        "llamacpp:n_decode_total",
        "llamacpp:prompt_tokens_total",
        "llamacpp:tokens_predicted_total",
    )
    in_flight = ("llamacpp:requests_processing", "llamacpp:requests_deferred")
    load_metrics = LoadMetrics(
        generated="llamacpp:tokens_predicted_total",
        prompt="llamacpp:prompt_tokens_total",
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
    )

    @property
    def short_name(self) -> str:
        return self.name.replace("llama-server-", "llama-")

    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported when this build lacks an option that the manifest needs."""
        _refuse_what_the_build_lacks(instance)
        if self.name == "llama-server-vulkan" and instance.spec.llama.split_mode == "row":
            raise Unsupported(
                "split_mode is row, which llama.cpp has no Vulkan code for; state `layer`"
            )
        spec, flags = instance.spec, instance.engine.flags
        parallel = spec.llama.parallel
        n_batch, n_ubatch = batches(spec, splits=instance.splits_inputs)
        values = {
            "place": place,
            "spec": spec,
            "llama": spec.llama,
            "sampling": chosen(spec.sampling),
            "ctx_size": spec.n_ctx * (parallel or 1),
            "n_batch": n_batch,
            "n_ubatch": n_ubatch,
            "device": self._device(instance),
            "layers": spec.n_gpu_layers if spec.gpus else None,
            "flash_attn": self._flash_attn(instance),
            "load_mode": _load_mode(instance),
            "mlock_flag": bool(spec.llama.mlock) and "--load-mode" not in flags,
            "fit_off": "--fit" in flags,
            "overrides": _overrides(spec),
            "draft": draft_options(spec, instance.engine),
            "projector_on_cpu": not instance.gpus and "--no-mmproj-offload" in flags,
            "draft_device": self._draft_device(instance),
            "loras": lora_arguments(spec, instance.engine),
        }
        return Command(
            "llama-server.args.j2",
            values,
            self._environment(instance),
            extra=spec.llama.extra_args or (),
            mlock=bool(spec.llama.mlock),
        )

    def report_endpoint(self, report: LoadReport, path: str, page: str) -> LoadReport:
        return with_props(report, page) if path == PROPS else report

    def completed(self, spec: Spec) -> Spec:
        if spec.llama.parallel is not None:
            return spec
        return replace(spec, llama=replace(spec.llama, parallel=_SLOTS))

    def check_completed(self, declared: InstanceConfig, spec: Spec, model: ModelFacts) -> None:
        hint = "State `llama: {pooling: mean}`, `cls` or `last`, as the model's card says."
        check_pooling(declared, model, hint)
        check_inputs(declared, spec, splits=self.splits_inputs(spec, model))

    def splits_inputs(self, spec: Spec, model: ModelFacts) -> bool:
        last = spec.type == "embedding" and pooling_of(spec.llama, model) == "last"
        return last and not keeps_no_tokens(model)

    def longest_input(self, instance: Instance) -> int:
        return longest_input(instance.spec, splits=instance.splits_inputs)

    def slots(self, spec: Spec) -> int:
        """One of those that share a context could take all of it."""
        return spec.llama.parallel or 1

    def sharing_slots(self, spec: Spec) -> int | None:
        return None if spec.llama.parallel else _SLOTS

    def forecast(
        self, spec: Spec, model: ModelFacts, gpus: tuple[GPUInfo, ...], engine: Engine
    ) -> Forecast | None:
        return llama_forecast(spec, model.gguf, gpus, self._start(spec, model, gpus, engine))

    def least_of(
        self, spec: Spec, model: ModelFacts, gpus: tuple[GPUInfo, ...], engine: Engine
    ) -> Sequence[int] | None:
        return llama_least(spec, model.gguf, gpus, self._start(spec, model, gpus, engine))

    def with_beside(
        self,
        told: Forecast,
        spec: Spec,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,
        files: Sequence[ModelFacts],
    ) -> Forecast:
        def of_draft(own: Spec, draft: ModelFacts) -> Forecast | None:
            return self.forecast(own, draft, gpus, engine)

        return with_beside(told, spec, files, of_draft)

    def most_layers(
        self,
        spec: Spec,
        model: ModelFacts,
        gpus: tuple[GPUInfo, ...],
        engine: Engine,
        free: Sequence[int],
    ) -> Choice | None:
        start = self._start(spec, model, gpus, engine)
        return llama_most_layers(spec, model.gguf, gpus, start, free)

    def _start(
        self, spec: Spec, model: ModelFacts, gpus: tuple[GPUInfo, ...], engine: Engine
    ) -> Start:
        return Start(
            device="vulkan" if self.name == "llama-server-vulkan" else "cuda",
            flash=self._flash_attn_of(spec, gpus, engine) != "off",
            batches=batches(spec, splits=self.splits_inputs(spec, model)),
            build=build_with(engine.flags),
        )

    def _device(self, instance: Instance) -> str:
        """Device names count the visible devices. A variable lists those in the wanted order;
        Vulkan counts them in PCI order whatever one wants, so the names say the order there.
        """
        prefix = _PREFIX.get(self.name)
        if not instance.gpus or prefix is None:
            return "none"
        places: tuple[int, ...] = tuple(range(len(instance.gpus)))
        if prefix == "Vulkan" and not instance.software_gpu and instance.spec.runtime != "docker":
            places = pci_places(instance)
        return ",".join(f"{prefix}{i}" for i in places)

    def _draft_device(self, instance: Instance) -> str:
        """Left out, it would be every device, whatever the model's are."""
        draft = instance.spec.draft
        return "none" if draft is None or draft.n_gpu_layers == 0 else self._device(instance)

    def _flash_attn(self, instance: Instance) -> str | None:
        """Off by default on AMD and on Vulkan, where it crashed in the field; left to the engine,
        which switches it on, where something that is stated needs it.
        """
        return self._flash_attn_of(instance.spec, instance.gpus, instance.engine)

    def _flash_attn_of(self, spec: Spec, gpus: tuple[GPUInfo, ...], engine: Engine) -> str | None:
        llama = spec.llama
        if llama.flash_attn is not None:
            return llama.flash_attn
        if not gpus or self.name == "llama-server-cuda" or llama.needs_flash_attention:
            return None
        return "off" if _flash_takes_value(engine) or not engine.known else None

    def _environment(self, instance: Instance) -> dict[str, str]:
        """Which devices the process sees, in the manifest's order (by UUID where one works), and
        which of them has the projector: the first one that the process sees unless told.
        """
        visible = self._visible(instance)
        if instance.spec.mmproj is None or not instance.gpus or self.name not in _PREFIX:
            return visible
        return visible | {"MTMD_BACKEND_DEVICE": self._device(instance).partition(",")[0]}

    def _visible(self, instance: Instance) -> dict[str, str]:
        variable = _VISIBLE.get(self.name)
        if not instance.gpus or variable is None:
            return {}
        if self.name == "llama-server-vulkan":
            if not instance.software_gpu:
                return {}
            return {variable: ",".join("0" for _ in instance.gpus)}
        if self.name == "llama-server-rocm":
            pairs = zip(instance.gpus, pci_places(instance), strict=True)
            return {variable: ",".join(g.hip_uuid or str(n) for g, n in pairs)}
        return cuda_visible(instance)


LLAMA_SERVER = (
    LlamaServer("llama-server-vulkan", "amd", _VULKAN),
    LlamaServer("llama-server-cuda", "nvidia", CUDA),
    LlamaServer("llama-server-rocm", "amd", ROCM),
    LlamaServer("llama-server-cpu", "cpu", CPU),
)


def _overrides(spec: Spec) -> str | None:
    return ",".join(f"{k}={v}" for k, v in (spec.llama.override_tensors or {}).items()) or None


def _load_mode(instance: Instance) -> str | None:
    if not instance.spec.llama.mlock or "--load-mode" not in instance.engine.flags:
        return None
    return "mmap+mlock"


def _flash_takes_value(engine: Engine) -> bool:
    return "[on|off|auto]" in engine.markers


def _refuse_flash_attention(llama: LlamaSettings) -> None:
    """Of a build whose option takes no value: it is off there unless switched on."""
    takes = "this build's --flash-attn takes no value; "
    if llama.flash_attn is not None:
        raise Unsupported(f"{takes}flash_attn needs a newer one")
    for field, says, _ in llama.needs_flash_attention:
        raise Unsupported(f"{takes}{field} {says}, which needs flash attention and a newer build")


def _refuse_what_the_build_lacks(instance: Instance) -> None:
    """Found out before anything is stopped. A build that could not be asked is not judged."""
    engine, llama = instance.engine, instance.spec.llama
    if not engine.known:
        return
    if "--port" not in engine.flags:
        raise Unsupported("its --help has no --port: it is another program than the server")
    if not _flash_takes_value(engine):
        _refuse_flash_attention(llama)
    if llama.mlock and not {"--load-mode", "--mlock"} & engine.flags:
        raise Unsupported("this build has neither --load-mode nor --mlock; mlock cannot be kept")
    needed = {
        "--cache-type-k": llama.cache_type_k,
        "--cache-type-v": llama.cache_type_v,
        "--split-mode": llama.split_mode,
        "--tensor-split": llama.tensor_split,
        "--pooling": llama.pooling,
        "--device": True,
        "--reranking": instance.spec.type == "reranker",
        "--mmproj": instance.spec.mmproj,
        "--lora": instance.spec.loras,
        "--chat-template-file": instance.spec.chat_template,
        "--cpu-moe": llama.n_cpu_moe == "all",
        "--n-cpu-moe": llama.n_cpu_moe not in (None, "all"),
        "--override-tensor": llama.override_tensors,
        "--reasoning": llama.reasoning,
        "--reasoning-format": llama.reasoning_format,
        "--reasoning-budget": llama.reasoning_budget is not None,
    }
    for flag, wanted in needed.items():
        if wanted and flag not in engine.flags:
            raise Unsupported(f"this build has no {flag}, which the manifest needs")
