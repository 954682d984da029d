"""An instance as the gateway sees it, either just resolved or from a record."""

from xgen_deploy.frozen import Frozen, UrlPath
from xgen_deploy.state.settings import ModelType, SecretRef

LOOPBACK = frozenset({"127.0.0.1", "::1"})
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def local_address(listen: str) -> str:
    """The address at which the host itself reaches what listens on `listen`."""
    return _WILDCARDS.get(listen, listen)


class Endpoint(Frozen):
    """`listen` is the address on its host, `slots` the number of requests that it processes at
    once, `names` what it answers to besides the model's own. `second`: it is the new version, while
    the old one still runs.
    """

    host: str
    instance: str
    model: str
    names: tuple[str, ...] = ()
    type: ModelType = "llm"
    listen: str = "127.0.0.1"
    port: int
    slots: int = 4
    health_path: UrlPath = "/health"
    api_key: SecretRef | None = None
    second: bool = False
