from tests.transport.conftest import here

__all__ = ["here"]
