"""Every engine that this tool can render, by backend name: adding one is a line here."""

from xgen_deploy.backends.base import Backend
from xgen_deploy.backends.llama_cpp_python import LlamaCppPython
from xgen_deploy.backends.llama_server import LlamaServer
from xgen_deploy.backends.vllm import Vllm

_ALL: tuple[Backend, ...] = (
    LlamaServer("llama-server-vulkan"),
    LlamaServer("llama-server-cuda"),
    LlamaServer("llama-server-rocm"),
    LlamaServer("llama-server-cpu"),
    LlamaCppPython(),
    Vllm("vllm-cuda"),
    Vllm("vllm-rocm"),
    Vllm("vllm-cpu"),
)


def backend_named(name: str) -> Backend | None:
    """None for a backend of the contract that this version cannot serve with yet."""
    return next((b for b in _ALL if b.name == name), None)


def health_path_of(name: str) -> str:
    """Where a backend of this name is asked whether it is ready."""
    backend = backend_named(name)
    return backend.health_path if backend else "/health"
