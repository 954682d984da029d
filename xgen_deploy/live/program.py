"""The reporter as one self-contained Python source, with the probe's GPU detectors."""

from functools import lru_cache
from importlib.resources import files

from xgen_deploy.probe.program import in_memory, probe_sources
from xgen_deploy.transport.bare_source import bare

_PACKAGE = "xgen_deploy.live.remote"
_MODULES = (
    (_PACKAGE, "engine_load"),
    (_PACKAGE, "reporter"),
    ("xgen_deploy.watch.remote", "http_get"),
    ("xgen_deploy.watch.remote", "settings"),
)
_RUN = f"""
from {_PACKAGE}.reporter import main
main()
"""


@lru_cache(maxsize=1)
def reporter_program() -> bytes:
    """For `Connection.report`. Raises RuntimeError where nvidia-ml-py is missing."""
    own = {f"{package}.{name}": _source(package, name) for package, name in _MODULES}
    packages = {package: "" for package, _ in _MODULES}
    parents = {package.rpartition(".")[0]: "" for package in packages}
    return in_memory({**probe_sources(), **parents, **packages, **own}, _RUN)


def _source(package: str, name: str) -> str:
    return bare(files(package).joinpath(f"{name}.py").read_text(encoding="utf-8"))
