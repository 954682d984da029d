"""The exporter as one self-contained Python source: its own modules and the probe's, of which it
uses the detectors of GPUs. The host imports them from memory, and compiles what it imports.
"""

from functools import lru_cache
from pathlib import Path

from xgen_deploy.probe.program import in_memory, module_source, probe_sources

_PACKAGE = "xgen_deploy.watch"
_RUN = """
from xgen_deploy.watch.remote.main import main
main(sys.argv[1:])
"""


@lru_cache(maxsize=1)
def exporter_program() -> str:
    """Raises RuntimeError where nvidia-ml-py is missing."""
    folder = Path(__file__).parent
    sources = dict(probe_sources()) | {_PACKAGE: "", f"{_PACKAGE}.remote": ""}
    for name in ("metrics", "relayed"):
        sources[f"{_PACKAGE}.{name}"] = module_source(folder / f"{name}.py")
    for path in sorted((folder / "remote").glob("*.py")):
        if path.stem != "__init__":
            sources[f"{_PACKAGE}.remote.{path.stem}"] = module_source(path)
    return in_memory(sources, _RUN).decode()
