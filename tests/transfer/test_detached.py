"""Transfers that go on by themselves, from host to host too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transfer.rig import Rig, chunks_of
from tests.transfer.test_bad_peer import bad_peer, wrong
from tests.transport.eventually import eventually
from xgen_deploy.state.transfer import DetachedRequest
from xgen_deploy.transfer.chain import Hop, linked
from xgen_deploy.transfer.detached import start_detached
from xgen_deploy.transport.base import HostError


def _state(rig: Rig, hop: Hop) -> Path:
    return rig.folder / hop.connection.name / "state" / "fetching.json"


def _begin(rig: Rig, hops: list[Hop]) -> None:
    for hop in linked(hops):
        _start(rig, hop)


def _start(rig: Rig, hop: Hop) -> None:
    state = str(_state(rig, hop))
    request = DetachedRequest(state=state, names=("tiny",), jobs=(hop.request,))
    start_detached(hop.connection, request)


def test_it_is_handed_on_and_nothing_stays(rig: Rig) -> None:
    hops = [rig.hop("a"), rig.hop("b"), rig.hop("c")]
    _begin(rig, hops)
    assert eventually(lambda: not any(_state(rig, hop).exists() for hop in hops))
    for name in ("a", "b", "c"):
        assert rig.place(name).read_bytes() == rig.data
        assert rig.litter(name) == []
    assert rig.hub.sent == len(rig.data)


def test_the_next_host_waits_for_one_that_begins_late(rig: Rig) -> None:
    first, second = linked([rig.hop("a"), rig.hop("b")])
    for hop in (second, first):
        state = str(_state(rig, hop))
        start_detached(
            hop.connection, DetachedRequest(state=state, names=("t",), jobs=(hop.request,))
        )
    assert eventually(lambda: not _state(rig, first).exists() and not _state(rig, second).exists())
    assert rig.place("b").read_bytes() == rig.data
    assert rig.hub.sent == len(rig.data)


def test_there_is_one_at_a_time(rig: Rig) -> None:
    hop = rig.hop("a")

    def second(path: str, start: int) -> None:
        if start == 0:
            with pytest.raises(HostError, match="a fetch goes on there already"):
                _begin(rig, [hop])

    rig.hub.before = second
    _begin(rig, [hop])
    assert eventually(lambda: not _state(rig, hop).exists())
    assert rig.place("a").read_bytes() == rig.data


def test_it_survives_a_source_that_is_away(rig: Rig) -> None:
    """Longer than one that somebody waits for has patience."""
    rig.hub.cuts["tiny.gguf"] = [1000] + [0] * 9
    _begin(rig, [rig.hop("a")])
    assert eventually(lambda: rig.place("a").exists())
    assert rig.place("a").read_bytes() == rig.data


def test_it_gives_up_where_nothing_comes(rig: Rig) -> None:
    """Each try is told; that is not what it waits for."""
    rig.hub.cuts["tiny.gguf"] = [0] * 10_000
    hop = rig.hop("a")
    _begin(rig, [hop])
    assert eventually(lambda: "nothing came for" in _state(rig, hop).read_text())
    assert '"state": "failed"' in _state(rig, hop).read_text()
    assert not rig.place("a").exists()


def test_one_that_loses_the_host_before_it_goes_to_the_source_itself(rig: Rig) -> None:
    _, second = linked([rig.hop("a"), rig.hop("b", alone=True)])
    _start(rig, second)
    assert eventually(lambda: not _state(rig, second).exists())
    assert rig.place("b").read_bytes() == rig.data
    assert rig.hub.sent == len(rig.data)


def test_one_that_may_not_says_for_whom_it_waits(rig: Rig) -> None:
    first, second = linked([rig.hop("a"), rig.hop("b")])
    _start(rig, second)
    waits = "it waits for a, which is to hand it on: "
    assert eventually(lambda: waits in _state(rig, second).read_text())
    assert rig.hub.seen == []
    _start(rig, first)
    assert eventually(lambda: not _state(rig, second).exists())
    assert rig.place("b").read_bytes() == rig.data
    assert rig.hub.sent == len(rig.data)


def test_a_damaged_chunk_is_no_reason_to_go_out(rig: Rig) -> None:
    """Nor anything else, where the host is to reach nothing."""
    rig.hub.repositories.clear()
    with bad_peer(rig.data, wrong) as peer:
        files = (rig.file("b", chunks=chunks_of(rig.data)),)
        hop = rig.hop("b", files=files, route="peer", peer=peer)
        _start(rig, hop)
        waits = "it waits for before, which is to hand it on: "
        assert eventually(lambda: waits in _state(rig, hop).read_text())
    assert rig.hub.seen == []
