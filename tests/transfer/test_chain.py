"""Hosts hand files on: each takes every chunk from the one before it."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.transfer.rig import CHUNK, MODEL, Rig, Running, chunks_of, flip
from tests.transport.eventually import alive, eventually
from xgen_deploy.state.transfer import Peer, Serving
from xgen_deploy.transfer.identity import new_identity

TOKEN = "t" * 43


@pytest.fixture
def held(rig: Rig) -> Path:
    path = rig.folder / "operator.gguf"
    path.write_bytes(rig.data)
    return path


def test_four_hosts_take_from_the_source_once(rig: Rig) -> None:
    names = ["a", "b", "c", "d"]
    assert rig.bring([rig.hop(name) for name in names]) == dict.fromkeys(names)
    assert all(rig.place(name).read_bytes() == rig.data for name in names)
    assert rig.hub.sent == len(rig.data)
    assert rig.events("lost") == []
    assert [rig.came(name) for name in names] == [len(rig.data)] * 4


def test_from_this_machine_it_is_sent_once(rig: Rig, held: Path) -> None:
    """And every host proves every chunk."""
    first = rig.file("a", chunks=chunks_of(rig.data))
    hops = [rig.hop("a", route="receive", files=(first,)), rig.hop("b"), rig.hop("c")]
    assert rig.bring(hops, lambda _: held) == {"a": None, "b": None, "c": None}
    assert rig.place("c").read_bytes() == rig.data
    assert rig.events("need", "b") == []


def test_a_host_hands_on_what_it_had_already(rig: Rig) -> None:
    rig.bring([rig.hop("a")])
    sent = rig.hub.sent
    assert rig.bring([rig.hop("a"), rig.hop("b")]) == {"a": None, "b": None}
    assert rig.hub.sent == sent


def test_a_host_that_loses_the_one_before_gets_the_rest_from_here(rig: Rig, held: Path) -> None:
    """The one before ends as soon as it handed on two chunks."""
    first = rig.hop("a")

    def cut(path: str, start: int) -> None:
        if start == 3 * CHUNK:
            assert eventually(lambda: rig.came("b") >= 2 * CHUNK)
            rig.hub.wrong[MODEL] = b"other"
            rig.hub.cuts[MODEL] = [0] * 20
            raise ConnectionError

    rig.hub.before = cut
    results = rig.bring([first, rig.hop("b")], lambda _: held)
    assert results["b"] is None
    assert "bytes, not " in str(results["a"])
    assert rig.place("b").read_bytes() == rig.data
    assert rig.events("lost", "b")
    (need,) = rig.events("need", "b")
    assert 0 not in need.chunks
    assert 5 in need.chunks


@pytest.mark.parametrize("comes_from", ["127.0.0.77", "192.0.2.1"])
def test_only_the_next_host_is_let_in(rig: Rig, held: Path, comes_from: str) -> None:
    after = rig.hop("b", comes_from=(comes_from,))
    assert rig.bring([rig.hop("a"), after], lambda _: held) == {"a": None, "b": None}
    assert rig.events("lost", "b")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_where_it_may_not_or_cannot_listen_all_comes_from_here(
    rig: Rig, held: Path, address: str
) -> None:
    first = rig.hop("a", address=address)
    second = rig.hop("b")
    assert rig.bring([first, second], lambda _: held) == {"a": None, "b": None}
    assert any(e.text.startswith("it cannot hand files on at") for e in rig.events("note", "a"))


def test_a_host_whose_address_is_not_known_takes_from_here(rig: Rig, held: Path) -> None:
    hops = [rig.hop("a", address=""), rig.hop("b", route="receive")]
    assert rig.bring(hops, lambda _: held) == {"a": None, "b": None}
    assert rig.events("need", "b")


def test_a_bad_copy_of_the_host_before_costs_a_chunk(rig: Rig) -> None:
    """Its disk gives another byte than it took, which it notices at the end; the next host, which
    has that byte by then, asks for that chunk once more."""
    rig.killed_at(4 * CHUNK)
    flip(rig.part(), CHUNK + 5)

    def wait(path: str, start: int) -> None:
        assert eventually(lambda: rig.came("b") >= 4 * CHUNK)

    rig.hub.before = wait
    assert rig.bring([rig.hop("a"), rig.hop("b")]) == {"a": None, "b": None}
    assert rig.place("b").read_bytes() == rig.data
    assert rig.came("a") == len(rig.data) - 3 * CHUNK
    assert rig.came("b") == len(rig.data) + CHUNK


def _serving(rig: Rig) -> tuple[Running, Peer]:
    """Host a, which has the file and hands it on."""
    identity, port = new_identity(), free_port()
    serving = Serving(
        address="127.0.0.2", port=port, to=("127.0.0.1",), token=TOKEN, identity=identity.pem
    )
    running = Running.start(rig.request("a", serving=serving))
    running.next("done")
    return running, Peer(
        name="a", address="127.0.0.2", port=port, token=TOKEN, certificate=identity.fingerprint
    )


def _ask(peer: Peer, path: str, token: str = TOKEN) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = f"GET {path} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n"
    plain = socket.create_connection((peer.address, peer.port), 20)
    with context.wrap_socket(plain) as sock:
        sock.sendall(request.encode())
        return b"".join(iter(lambda: sock.recv(1 << 16), b""))


def test_nothing_but_its_chunks_is_handed_out_and_to_its_token_alone(rig: Rig) -> None:
    running, peer = _serving(rig)
    assert _ask(peer, "/0/0").endswith(rig.data[:CHUNK])
    for path in ("/0/99", "/1/0", "/0/-1", "/../etc/passwd", "/0/0/0", "/etc/passwd", "/x/y"):
        answer = _ask(peer, path)
        assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 503")), path
    for token in ("", "t" * 42, "x" * 43):
        assert _ask(peer, "/0/0", token).startswith(b"HTTP/1.1 403")
    running.end()


def test_connections_that_hang_on_keep_nobody_off(rig: Rig) -> None:
    running, peer = _serving(rig)
    hanging = [socket.create_connection((peer.address, peer.port)) for _ in range(3)]
    assert _ask(peer, "/0/0").endswith(rig.data[:CHUNK])
    for sock in hanging:
        sock.close()
    running.end()


def test_what_hands_on_has_no_rights_and_ends_with_the_connection(rig: Rig) -> None:
    running, _peer = _serving(rig)
    (server,) = _children(running.process.pid)
    status = Path(f"/proc/{server}/status").read_text()
    uids = next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))
    assert set(uids) == {"65534" if os.geteuid() == 0 else str(os.geteuid())}
    running.end()
    assert eventually(lambda: not alive(server))


def test_what_hands_on_ends_with_a_killed_transfer(rig: Rig) -> None:
    running, _peer = _serving(rig)
    (server,) = _children(running.process.pid)
    running.process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not alive(server))
    running.process.wait(60)


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
