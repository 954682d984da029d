"""A bit of whatever lies on a host's disk flips: the next transfer finds it, in a file at the cost
of its chunk, and all is as it was.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.transfer.rig import CHUNK, Rig, flip
from xgen_deploy.probe.remote.content_state import content_state
from xgen_deploy.transfer.remote import download, part, repair, transfer

KNOWN, BY_LENGTH = "digest", "length"


class Cut(Exception):
    pass


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (download, part, repair, transfer):
        monkeypatch.setattr(module, "CHUNK", CHUNK)


def _transfer(rig: Rig, host: str, known: str = KNOWN, cut_after: int | None = None) -> int:
    """Bytes that came; as the program on a host does it, in this process."""
    file = rig.file(host) if known == KNOWN else rig.file(host, sha256=None)
    came = 0

    def tell(event: str, **more: Any) -> None:
        nonlocal came
        came += more["count"] if event == "bytes" else 0
        if event == "chunk" and more["chunk"] == cut_after:
            raise Cut

    # A transfer that goes on alone reads nothing from standard input.
    request = json.loads(json.dumps(asdict(rig.request(host, files=(file,)))))
    transfer.Transfer(request, tell, None).run()  # type: ignore[arg-type]
    assert rig.place(host).read_bytes() == rig.data
    return came


def _cut(rig: Rig, host: str, known: str) -> None:
    """After four chunks."""
    with pytest.raises(Cut):
        _transfer(rig, host, known, cut_after=3)
    assert rig.noted(host) == [0, 1, 2, 3]


def _notes(rig: Rig, host: str) -> Path:
    """Without its ending."""
    return rig.place(host).parent / ".xgen/files" / str(rig.place(host).stat().st_ino)


def _noted(rig: Rig, host: str) -> tuple[Any, ...]:
    note = json.loads(_notes(rig, host).with_suffix(".json").read_text())
    chunks = _notes(rig, host).with_suffix(".chunks").read_text()
    return note["sha256"], note["by_length"], chunks, content_state([str(rig.place(host))])


@pytest.mark.parametrize("known", [KNOWN, BY_LENGTH])
@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, 2 * CHUNK + 99, 4 * CHUNK - 1])
def test_of_a_part(rig: Rig, known: str, at: int) -> None:
    _cut(rig, "a", known)
    flip(rig.part(), at)
    assert _transfer(rig, "a", known) == len(rig.data) - 3 * CHUNK


@pytest.mark.parametrize("known", [KNOWN, BY_LENGTH])
def test_of_its_journal(rig: Rig, known: str) -> None:
    _transfer(rig, "whole", known)
    _cut(rig, "0", known)
    for at in range(0, rig.journal("0").stat().st_size, 11):
        host = str(1 + at)
        _cut(rig, host, known)
        flip(rig.journal(host), at)
        _transfer(rig, host, known)
        assert _noted(rig, host) == _noted(rig, "whole"), at


@pytest.mark.parametrize("ending", [".json", ".chunks"])
def test_of_a_note(rig: Rig, ending: str) -> None:
    """Where it cannot be read any more, the file counts as one that lay there, which nothing
    removes."""
    _transfer(rig, "a")
    due, note = _noted(rig, "a"), _notes(rig, "a").with_suffix(ending)
    whole = note.read_bytes()
    for at in range(0, len(whole), 5):
        note.write_bytes(whole)
        flip(note, at)
        assert _transfer(rig, "a") == 0
        assert _noted(rig, "a") == due, at


def test_of_the_file(rig: Rig) -> None:
    _transfer(rig, "a")
    for at in (0, 3 * CHUNK - 1, 5 * CHUNK):
        flip(rig.place(), at)
        assert _transfer(rig, "a") == min(CHUNK, len(rig.data) - at // CHUNK * CHUNK)
