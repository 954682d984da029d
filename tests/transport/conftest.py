from collections.abc import Iterator

import pytest

from xgen_deploy.state.host import Host
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options


@pytest.fixture
def here() -> Iterator[Connection]:
    """This machine, as whoever runs the tests."""
    connector = Connector(Options(runtime="process"))
    yield connector.connect(Host(name="here", connection="local"))
    connector.close()


@pytest.fixture
def session(here: Connection) -> Iterator[Session]:
    with here.session() as opened:
        yield opened
