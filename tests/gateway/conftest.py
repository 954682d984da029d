"""Gateways and engines that end with their test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.gateway.running_gateway import RunningGateway, haproxy
from tests.gateway.stub import Engine

MakeGateway = Callable[..., RunningGateway]
MakeEngine = Callable[..., Engine]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short: a socket lies in it."""
    with TemporaryDirectory(prefix="xgd") as path:
        yield Path(path)


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def make_engine(ending: ExitStack) -> MakeEngine:
    def make(name: str, **more: Any) -> Engine:
        engine = Engine(name, **more)
        ending.callback(engine.close)
        return engine

    return make


@pytest.fixture
def make_gateway(ending: ExitStack, folder: Path) -> MakeGateway:
    def make(**settings: Any) -> RunningGateway:
        haproxy()
        gateway = RunningGateway(folder, **settings)
        ending.callback(gateway.stop)
        return gateway

    return make
