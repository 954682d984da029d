"""The reporter as one self-contained Python source, with the probe's GPU detectors."""

from functools import lru_cache
from importlib.resources import files

from xgen_deploy.probe.program import in_memory, probe_sources
from xgen_deploy.transport.bare_source import bare

_PACKAGE = "xgen_deploy.live.remote"
_MODULES = ("engine_load", "reporter")
_RUN = f"""
from {_PACKAGE}.reporter import main
main()
"""


@lru_cache(maxsize=1)
def reporter_program() -> bytes:
    """For `Connection.report`. Raises RuntimeError where nvidia-ml-py is missing."""
    folder = files(_PACKAGE)
    own = {
        f"{_PACKAGE}.{name}": bare(folder.joinpath(f"{name}.py").read_text(encoding="utf-8"))
        for name in _MODULES
    }
    packages = {"xgen_deploy.live": "", _PACKAGE: ""}
    return in_memory({**probe_sources(), **packages, **own}, _RUN)
