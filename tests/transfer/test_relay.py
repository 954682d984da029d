"""A source that this machine does not reach, by way of a host that does."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from tests.hub.fake_hub import COMMIT, FakeHub, Repository, serving
from tests.probe.gguf_writer import gguf
from xgen_deploy.hub.asking import HubError
from xgen_deploy.hub.catalog import Catalog, Described, Request
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.hub.locked import LockedSources
from xgen_deploy.run import ways
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.lock_file import LockFile
from xgen_deploy.transfer.relay import Relay
from xgen_deploy.transfer.remote import web_source
from xgen_deploy.transfer.remote.web_source import Access, Refused, Unavailable
from xgen_deploy.transport.local import LocalConnection

NAME = "some/tiny-GGUF"
TOKEN = "hf_very_secret"  # noqa: S105
Q8 = gguf({"general.architecture": "llama", "llama.block_count": 2, "x": "y" * 300_000})


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with serving(FakeHub({NAME: Repository({"tiny-q8.gguf": Q8})})) as started:
        yield started


@pytest.fixture
def host() -> Iterator[LocalConnection]:
    connection = LocalConnection("h", python=sys.executable, become="never", password=None)
    yield connection
    connection.close()


@pytest.fixture
def cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine reaches nothing; what runs as on a host is another process."""

    def nowhere(host: str, *_: object, **__: object) -> NoReturn:
        raise Unavailable(f"{host}: Network is unreachable")

    monkeypatch.setattr(web_source, "connected", nowhere)


def described(hub: FakeHub, host: LocalConnection, folder: Path, **reached: Any) -> Described:
    settings = FetchSettings(endpoint=hub.url)
    catalog = Catalog(settings, Access(token=TOKEN), lambda: LocalDigests(folder))
    sources = ways.SourcesByHosts(
        SimpleNamespace(fetch=settings),  # type: ignore[arg-type]
        catalog,
        reached["observed"],
        {"h": host},
    )
    return sources.describe(Request(source=f"{NAME}:tiny-q8.gguf"))


@pytest.fixture
def reached(hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the host reaches."""
    places = [f"127.0.0.1:{hub.port}"]
    monkeypatch.setattr(ways, "facts_of", lambda _: {"h": SimpleNamespace(reached=places)})
    return places


@pytest.mark.usefixtures("cut_off", "reached")
def test_by_way_of_a_host(hub: FakeHub, host: LocalConnection, tmp_path: Path) -> None:
    got = described(hub, host, tmp_path, observed={})
    assert (got.artifact.through, got.artifact.trusted) == ("h", True)  # it is plain http
    assert got.gguf is not None
    assert {seen.token for seen in hub.seen} == {None}  # the host could read it


@pytest.mark.usefixtures("cut_off", "reached")
def test_by_way_of_a_host_for_another_commit_than_the_locked_one(
    hub: FakeHub, host: LocalConnection, tmp_path: Path
) -> None:
    """As a rollback asks for it."""
    settings = FetchSettings(endpoint=hub.url)
    catalog = Catalog(settings, Access(), lambda: LocalDigests(tmp_path))
    locked = LockedSources(LockFile(), settings, catalog)
    site: Any = SimpleNamespace(fetch=settings)
    sources = ways.SourcesByHosts(site, locked, {}, {"h": host})
    got = sources.describe(Request(source=f"{NAME}:tiny-q8.gguf", commit=COMMIT))
    assert (got.artifact.through, got.artifact.commit) == ("h", COMMIT)


@pytest.mark.usefixtures("reached")
def test_not_where_this_machine_reaches_it(
    hub: FakeHub, host: LocalConnection, tmp_path: Path
) -> None:
    got = described(hub, host, tmp_path, observed={})
    assert (got.artifact.through, got.artifact.trusted) == (None, False)
    assert {seen.token for seen in hub.seen} == {f"Bearer {TOKEN}"}


@pytest.mark.usefixtures("cut_off")
def test_nobody_reaches_it(
    hub: FakeHub, host: LocalConnection, tmp_path: Path, reached: list[str]
) -> None:
    reached.clear()
    with pytest.raises(HubError, match=r"cannot be asked from here: .*unreachable"):
        described(hub, host, tmp_path, observed={})
    assert not hub.seen


def test_a_redirect_to_an_inner_address_is_refused_there_too(
    hub: FakeHub, host: LocalConnection
) -> None:
    with pytest.raises(Refused, match=r"the inner address 127\.0\.0\.1"):
        Relay(host)("127.0.0.1", hub.port, 5.0, inner_allowed=False)


def test_what_the_host_does_not_reach_either(host: LocalConnection) -> None:
    with pytest.raises(Unavailable, match="refused"):
        Relay(host)("127.0.0.1", 1, 5.0, inner_allowed=True)


def test_a_large_answer_comes_whole_and_both_ends_end(host: LocalConnection) -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    with listening:
        sock = Relay(host)("127.0.0.1", listening.getsockname()[1], 5.0, inner_allowed=True)
        there, _ = listening.accept()
        with sock, there:
            sock.sendall(b"question")
            assert there.recv(100) == b"question"
            there.sendall(b"x" * 100_000)
            there.shutdown(socket.SHUT_WR)
            got = b""
            while piece := sock.recv(1 << 16):
                got += piece
            assert len(got) == 100_000
