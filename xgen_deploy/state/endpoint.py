"""An instance as the gateway needs to know it, whether resolved just now or recorded before."""

from xgen_deploy.frozen import Frozen, UrlPath
from xgen_deploy.state.settings import ModelType, SecretRef

LOOPBACK = frozenset({"127.0.0.1", "::1"})
WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where a wildcard is reached


class Endpoint(Frozen):
    """`listen` is the address on its host; `slots` how many requests it works on at once;
    `second` that it is the new one of a pair while it replaces the old.
    """

    host: str
    instance: str
    model: str
    type: ModelType = "llm"
    listen: str = "127.0.0.1"
    port: int
    slots: int = 4
    health_path: UrlPath = "/health"
    api_key: SecretRef | None = None
    second: bool = False
