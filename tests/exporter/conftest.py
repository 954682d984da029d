"""A gateway with HAProxy, and a llama-server, where this machine has them."""

from tests.gateway.conftest import ending, folder, make_engine, make_gateway
from tests.process.conftest import binary, model

__all__ = ["binary", "ending", "folder", "make_engine", "make_gateway", "model"]
