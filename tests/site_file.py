"""A manifest read as the command line reads it."""

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest import load
from xgen_deploy.state.site import Site


def load_site(path: str, *, inventory: str | None = None) -> Site:
    return load.load_site(path, engine_words(), inventory=(inventory,) if inventory else ())
