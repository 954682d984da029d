"""The Python source that is sent to a host for a session or for following a command."""

from functools import lru_cache
from importlib.resources import files
from typing import Literal

_PACKAGE = "xgen_deploy.transport.remote"
# Each after what it imports.
_AGENT = ("groups", "commands", "files", "removal", "web", "lock_queue", "locks", "agent")

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


@lru_cache(maxsize=2)
def remote_program(which: Literal["agent", "follow"]) -> bytes:
    """Self-contained, for Python 3.8 and its standard library."""
    names = _AGENT if which == "agent" else ("follow",)
    folder = files(_PACKAGE)
    sources = [(n, folder.joinpath(f"{n}.py").read_text(encoding="utf-8")) for n in names]
    return f"NAME = {_PACKAGE!r}\nSOURCES = {sources!r}\n{_BOOT}".encode()
