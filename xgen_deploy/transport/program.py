"""The Python source that is sent to a host for a session, to follow a command or an answer."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from xgen_deploy.transport.bare_source import bare

_PACKAGE = "xgen_deploy.transport.remote"
# Each after what it imports.
_AGENT = (
    "groups",
    "commands",
    "files",
    "bytes_read",
    "removal",
    "web",
    "unix_socket",
    "lock_queue",
    "locks",
    "agent",
)

_BOOT = """
import sys, types
PACKAGE = types.ModuleType(NAME)
sys.modules[NAME] = PACKAGE
for name, source in SOURCES:
    module = types.ModuleType(NAME + "." + name)
    sys.modules[module.__name__] = module
    setattr(PACKAGE, name, module)
    exec(compile(source, "<" + name + ">", "exec"), module.__dict__)
module.main()
"""


_TRANSFER = (
    "journal",
    "part",
    "repair",
    "names",
    "measured",
    "brought",
    "events",
    "gentle",
    "lifeline",
    "web_connection",
    "web_source",
    "download",
    "receive",
    "peer_server",
    "peer_client",
    "unpack",
    "tiny_gguf",
    "trial",
    "engine_build",
    "gguf_type",
    "quantize",
    "docker_api",
    "image_archive",
    "image_registry",
    "image_load",
    "detached",
    "transfer",
)

_MODELS = (
    "journal",
    "part",
    "brought",
    "gentle",
    "stock",
    "beneath",
    "mounts",
    "open_files",
    "built",
    "prune",
    "check",
    "docker_api",
    "models",
)

Program = Literal["agent", "follow", "stream", "transfer", "models", "relay"]
_MODULES = {
    "agent": (_PACKAGE, _AGENT),
    "follow": (_PACKAGE, ("follow",)),
    "stream": (_PACKAGE, ("web", "stream")),
    "transfer": ("xgen_deploy.transfer.remote", _TRANSFER),
    "models": ("xgen_deploy.transfer.remote", _MODELS),
    "relay": ("xgen_deploy.transfer.remote", ("web_connection", "web_source", "relay")),
}


@lru_cache(maxsize=5)
def remote_program(which: Program) -> bytes:
    """Self-contained, for Python 3.8 and its standard library."""
    return packed(*_MODULES[which])


def pulling_program() -> bytes:
    """The same for `python3 -c`: pulls an image with a login (transfer/remote/image_pull.py)."""
    return packed("xgen_deploy.transfer.remote", ("docker_api", "image_pull"))


def packed(package: str, names: Sequence[str]) -> bytes:
    """Modules of a package as one source, each after what it imports; the last
    one's `main` runs.
    """
    folder = files(package)
    sources = [(n, bare(folder.joinpath(f"{n}.py").read_text(encoding="utf-8"))) for n in names]
    return f"NAME = {package!r}\nSOURCES = {sources!r}\n{_BOOT}".encode()
