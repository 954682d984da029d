"""The probe as one self-contained Python source: every module of `remote/` and NVIDIA's bindings,
which the host imports from memory. Other programs that detect GPUs take them along too.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from xgen_deploy import bounded_json
from xgen_deploy.probe.bindings import nvml_bindings
from xgen_deploy.transport.bare_source import bare

PACKAGE = "xgen_deploy.probe.remote"

# Runs first on the host, with SOURCES defined before it.
_IMPORT = """
import sys
from importlib.machinery import ModuleSpec


class Memory:
    def find_spec(self, name, path=None, target=None):
        if name in SOURCES:
            return ModuleSpec(name, self, origin="memory", is_package=not SOURCES[name])

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        exec(compile(SOURCES[name], "<memory:%s>" % name, "exec"), module.__dict__)


sys.meta_path.insert(0, Memory())
"""
# The loader of transport/framing.py provides REQUEST and emit.
_RUN = """
from xgen_deploy.probe.remote.main import main
main(REQUEST, emit)
"""


@lru_cache(maxsize=1)
def probe_program() -> bytes:
    """Python source for `framing.encode`. Raises RuntimeError where nvidia-ml-py is missing."""
    return in_memory(probe_sources(), _RUN)


def in_memory(sources: Mapping[str, str], run: str) -> bytes:
    """Python source that can import modules (name -> source, "" for a package), and runs `run`."""
    return f"SOURCES = {dict(sources)!r}\n{_IMPORT}{run}".encode()


@lru_cache(maxsize=1)
def probe_sources() -> Mapping[str, str]:
    """Every module of the probe. Raises RuntimeError where nvidia-ml-py is missing."""
    sources = {"xgen_deploy": "", "xgen_deploy.probe": "", PACKAGE: ""}
    sources["xgen_deploy.bounded_json"] = module_source(Path(bounded_json.__file__))
    for path in sorted(Path(__file__).with_name("remote").glob("*.py")):
        if path.stem != "__init__":
            sources[f"{PACKAGE}.{path.stem}"] = module_source(path)
    sources["pynvml"] = nvml_bindings(sources[f"{PACKAGE}.gpu_nvml"])
    return sources


def module_source(path: Path) -> str:
    """As it is sent: without comments and docstrings."""
    return bare(path.read_text(encoding="utf-8"))
