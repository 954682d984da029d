"""That an operator stopped an instance or a gateway on purpose: it is not drift."""

from xgen_deploy.frozen import Frozen, Moment


class Stopped(Frozen):
    """Who stopped it, and when; `cordon` is the key of the cordon that did (see cordon.py)."""

    by: str
    at: Moment
    cordon: str | None = None
