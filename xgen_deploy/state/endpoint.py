"""An instance as the gateway needs to know it, whether resolved just now or recorded before."""

from xgen_deploy.frozen import Frozen, UrlPath
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.settings import ModelType, SecretRef

LOOPBACK = frozenset({"127.0.0.1", "::1"})
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a wildcard is reached

# What the engines take at once where the manifest says nothing: llama-server's own slots
# (`--parallel` in its README), vLLM's `--max-num-seqs`, and a server that takes one by one.
_LLAMA_SLOTS = 4
_VLLM_SLOTS = 256
# More than any engine has, and a number that HAProxy takes.
_MOST_SLOTS = 1 << 16


class Endpoint(Frozen):
    """`listen` is the address on its host; `slots` how many requests it works on at once;
    `second` that it is the new one of a pair while it replaces the old.
    """

    host: str
    instance: str
    model: str
    type: ModelType = "llm"
    listen: str = "127.0.0.1"
    port: int
    slots: int = _LLAMA_SLOTS
    health_path: UrlPath = "/health"
    api_key: SecretRef | None = None
    second: bool = False


def endpoint_of(
    host: str, instance: str, spec: Spec, health_path: str, *, second: bool = False
) -> Endpoint:
    """Of a resolved or recorded spec."""
    return Endpoint(
        host=host,
        instance=instance,
        model=spec.model,
        type=spec.type,
        listen=spec.listen,
        port=spec.port,
        slots=slots_of(spec),
        health_path=health_path,
        api_key=spec.api_key,
        second=second,
    )


def slots_of(spec: Spec) -> int:
    """Requests that the engine works on at once: more would wait where nobody can move them."""
    if spec.backend.startswith("vllm"):
        return min(spec.vllm.max_num_seqs or _VLLM_SLOTS, _MOST_SLOTS)
    if spec.backend == "llama-cpp-python":
        return 1
    return min(spec.llama.parallel or _LLAMA_SLOTS, _MOST_SLOTS)
