"""vLLM, in its three builds: `vllm serve MODEL`, one command for all of them.

Flags: `vllm serve --help=all` of 0.32, full names only, for the parser takes any unambiguous
prefix for the flag that it begins.
"""

import json
from dataclasses import dataclass, field

from xgen_deploy.backends.base import Command, KeyFile, Place, SmokeRequest, Unsupported
from xgen_deploy.backends.gpu_order import cuda_visible, hip_visible
from xgen_deploy.backends.sampling import chosen
from xgen_deploy.backends.smoke_request import openai_smoke_request
from xgen_deploy.backends.vllm_log import read_report
from xgen_deploy.backends.vllm_pages import MODELS, VERSION, report_endpoint
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.load_report import LoadReport

# No calls home, nothing fetched. USER: PyTorch asks for the name of a user that has none.
_OWN = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "USER": "xgen",
}
_SHM = "8g"


@dataclass(frozen=True)
class Vllm:
    """`name` is vllm-cuda, vllm-rocm or vllm-cpu."""

    name: str
    formats: tuple[str, ...] = field(default=("hf",))
    health_path: str = "/health"
    counts: bool = True
    container_port: int = 8000
    report_endpoints: tuple[str, ...] = field(default=(VERSION, MODELS))
    api_key: KeyFile = field(default=KeyFile("vllm.yaml", "vllm-key.yaml.j2"))

    def command(self, instance: Instance, place: Place) -> Command:
        """Raises Unsupported when a stated extra argument takes what the tool needs itself."""
        spec = instance.spec
        extra = spec.vllm.extra_args or ()
        if spec.api_key and any(a == "--config" or a.startswith("--config=") for a in extra):
            raise Unsupported(
                "vllm.extra_args has --config, and the api_key reaches vLLM by a --config file of "
                "its own; put the other settings into vllm.extra_args one by one"
            )
        values = {
            "serve": not place.contained,
            "place": place,
            "spec": spec,
            "vllm": spec.vllm,
            "tensor_parallel_size": tensor_parallel_size(spec),
            "generation": _generation(spec),
        }
        env = self._environment(instance)
        return Command("vllm.args.j2", values, env, extra=extra, compiles=True, shm_size=_SHM)

    def smoke_request(self, instance: Instance) -> SmokeRequest:
        return openai_smoke_request(instance.spec)

    def report_endpoint(self, report: LoadReport, path: str, page: str) -> LoadReport:
        return report_endpoint(report, path, page)

    def read_report(self, log: str) -> LoadReport:
        return read_report(log)

    def _environment(self, instance: Instance) -> dict[str, str]:
        if self.name == "vllm-cuda":
            return _OWN | cuda_visible(instance)
        if self.name == "vllm-rocm":
            return _OWN | hip_visible(instance)
        return dict(_OWN)


def tensor_parallel_size(spec: Spec) -> int | None:
    """As stated; else every GPU over the pipeline's stages. None: the engine's own, which is 1."""
    if spec.vllm.tensor_parallel_size is not None or not spec.gpus:
        return spec.vllm.tensor_parallel_size
    return len(spec.gpus) // (spec.vllm.pipeline_parallel_size or 1)


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
