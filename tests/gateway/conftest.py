"""Gateways and engines that end with their test."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from tests.gateway.door import Door, haproxy
from tests.gateway.stub import Engine

MakeDoor = Callable[..., Door]
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
def make_door(ending: ExitStack, folder: Path) -> MakeDoor:
    def make(**settings: Any) -> Door:
        haproxy()
        door = Door(folder, **settings)
        ending.callback(door.stop)
        return door

    return make
