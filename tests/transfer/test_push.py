"""A host gets files from this machine, over its connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.transfer.rig import CHUNK, Rig, chunks_of
from tests.transport.eventually import eventually
from xgen_deploy.transfer import host_transfer, local_file
from xgen_deploy.transfer.local_file import Extent, Stored
from xgen_deploy.transport.local import LocalProcess


@pytest.fixture
def held(rig: Rig) -> Path:
    path = rig.folder / "operator.gguf"
    path.write_bytes(rig.data)
    return path


def test_what_is_missing_is_sent_and_no_more(rig: Rig, held: Path) -> None:
    file = rig.file(chunks=chunks_of(rig.data))
    hop = rig.hop(route="receive", files=(file,))
    assert rig.bring([hop], lambda _: held) == {"a": None}
    assert rig.place().read_bytes() == rig.data
    damaged = bytearray(rig.data)
    damaged[2 * CHUNK] ^= 1
    rig.place().write_bytes(damaged)
    rig.told.clear()
    assert rig.bring([hop], lambda _: held) == {"a": None}
    assert rig.came("a") == CHUNK
    assert rig.hub.sent == 0


def test_a_chunk_that_is_damaged_on_its_way_is_sent_again(
    rig: Rig, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, spoilt = local_file.chunk_of, [3]

    def chunk_of(file: Path | Stored, chunk: int, size: int, *, piece: int) -> Iterator[bytes]:
        for data in real(file, chunk, size, piece=piece):
            if chunk in spoilt:
                spoilt.remove(chunk)
                yield bytes([data[0] ^ 1]) + data[1:]
            else:
                yield data

    monkeypatch.setattr(host_transfer, "chunk_of", chunk_of)
    hop = rig.hop(route="receive", files=(rig.file(chunks=chunks_of(rig.data)),))
    assert rig.bring([hop], lambda _: held) == {"a": None}
    assert rig.came("a") == len(rig.data) + CHUNK
    assert [e.text for e in rig.events("note")] == ["chunk 3 is damaged"]


def test_a_file_that_became_another_one_here_never_gets_the_name(rig: Rig, held: Path) -> None:
    held.write_bytes(bytes(len(rig.data)))
    hop = rig.hop(route="receive", files=(rig.file(chunks=chunks_of(rig.data)),))
    failed = rig.bring([hop], lambda _: held)["a"]
    assert str(failed) == "a: chunk 0 came damaged 3 times"
    assert not rig.place().exists()


def test_a_file_that_got_shorter_here_is_said(rig: Rig, held: Path) -> None:
    held.write_bytes(rig.data[: 2 * CHUNK + 1])
    hop = rig.hop(route="receive", files=(rig.file(chunks=chunks_of(rig.data)),))
    failed = rig.bring([hop], lambda _: held)["a"]
    assert str(failed).startswith("a: its files cannot be read here: ")


def test_pieces_of_other_files_are_as_good(rig: Rig, held: Path) -> None:
    at = CHUNK + 77
    stored = Stored((Extent(held, 0, at), Extent(held, at, len(rig.data) - at)))
    hop = rig.hop(route="receive")
    assert rig.bring([hop], lambda _: stored) == {"a": None}
    assert rig.place().read_bytes() == rig.data


def test_while_this_side_gets_the_file_itself_the_host_waits(
    rig: Rig, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as it takes: signs of life come meanwhile."""
    monkeypatch.setattr(host_transfer, "_SIGN_OF_LIFE", 0.1)
    heard: list[bytes] = []
    send = LocalProcess.send

    def slow(number: int) -> Path:
        assert eventually(lambda: len(heard) >= 3)
        return held

    def counted(self: LocalProcess, data: bytes) -> None:
        if data == b"\n":
            heard.append(data)
        send(self, data)

    monkeypatch.setattr(LocalProcess, "send", counted)
    assert rig.bring([rig.hop(route="receive")], slow) == {"a": None}
    assert rig.place().read_bytes() == rig.data
