"""A host fetches a file from the web, whatever the connection and the server do."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, git_blob, sha256
from tests.transfer.rig import CHUNK, MODEL, Rig, made

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.mark.parametrize(
    "cuts",
    [
        [1],
        [CHUNK - 1],
        [CHUNK],
        [CHUNK + 1, 1, 1],
        [70_000] * 4,
        [5 * CHUNK + 1233],
        [3 * CHUNK, 17, 2 * CHUNK],
    ],
    ids=str,
)
def test_a_cut_connection_goes_on_at_that_byte(rig: Rig, cuts: list[int]) -> None:
    rig.hub.cuts[MODEL] = list(cuts)
    assert rig.bring([rig.hop()]) == {"a": None}
    assert rig.place().read_bytes() == rig.data
    assert rig.hub.sent == len(rig.data)
    assert [s.start for s in rig.hub.seen] == [sum(cuts[:n]) for n in range(len(cuts) + 1)]
    assert rig.litter() == []


def test_a_server_that_always_begins_at_the_first_byte(rig: Rig) -> None:
    rig.hub.no_ranges = True
    rig.hub.cuts[MODEL] = [2 * CHUNK + 5, 3 * CHUNK]
    assert rig.bring([rig.hop()]) == {"a": None}
    assert rig.place().read_bytes() == rig.data


def test_a_server_that_breaks_again_and_again_without_a_byte_is_given_up(rig: Rig) -> None:
    rig.hub.cuts[MODEL] = [0] * 20
    failed = rig.bring([rig.hop()])["a"]
    assert str(failed) == "a: the connection broke"
    assert not rig.place().exists()


@dataclass(frozen=True)
class Broken:
    """How a source is wrong, and what is said of it."""

    name: str
    spoil: Callable[[FakeHub, bytes], None]
    told: str


def _shorter(hub: FakeHub, data: bytes) -> None:
    hub.wrong[MODEL] = data[:-1]


def _flipped(hub: FakeHub, data: bytes) -> None:
    hub.wrong[MODEL] = data[:CHUNK] + bytes([data[CHUNK] ^ 1]) + data[CHUNK + 1 :]


def _page(hub: FakeHub, data: bytes) -> None:
    hub.wrong[MODEL], hub.kinds[MODEL] = b"<html>".ljust(len(data)), "text/html"


def _absent(hub: FakeHub, data: bytes) -> None:
    hub.repositories.clear()


BROKEN = [
    Broken("wrong length", _shorter, "bytes, not "),
    Broken("one bit", _flipped, "its SHA-256 is "),
    Broken("a page", _page, "answers with a web page, not with a file"),
    Broken("absent", _absent, "has no such file (404)"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda b: b.name)
def test_what_is_wrong_never_gets_the_name(rig: Rig, broken: Broken) -> None:
    broken.spoil(rig.hub, rig.data)
    failed = rig.bring([rig.hop()])["a"]
    assert broken.told in str(failed)
    assert not rig.place().exists()


def test_after_wrong_bytes_the_right_ones_are_taken(rig: Rig) -> None:
    _flipped(rig.hub, rig.data)
    assert rig.bring([rig.hop()])["a"] is not None
    rig.hub.wrong.clear()
    assert rig.bring([rig.hop()]) == {"a": None}
    assert rig.place().read_bytes() == rig.data


def test_a_file_without_a_digest_that_changes_midway_comes_anew(rig: Rig) -> None:
    """It is never a mixture of the two."""
    rig.hub.cuts[MODEL] = [3 * CHUNK + 7]
    other = made(len(rig.data), seed=2)

    def change(path: str, start: int) -> None:
        if start >= 2 * CHUNK:
            rig.hub.wrong[MODEL], rig.hub.etags[MODEL] = other, "later"

    rig.hub.before = change
    assert rig.bring([rig.hop(files=(rig.file(sha256=None),))]) == {"a": None}
    assert rig.place().read_bytes() == other
    changed, digest = [e.text for e in rig.events("note")][-2:]
    assert changed.startswith("the file changed at its source")
    assert sha256(other) in digest


def test_where_the_digest_is_known_servers_with_other_etags_are_one_source(rig: Rig) -> None:
    rig.hub.cuts[MODEL] = [CHUNK + 1] * 5

    def another_server(path: str, start: int) -> None:
        rig.hub.etags[MODEL] = f"server {start}"

    rig.hub.before = another_server
    assert rig.bring([rig.hop()]) == {"a": None}
    assert rig.hub.sent == len(rig.data)


@pytest.mark.parametrize("size", [0, 1, CHUNK, 2 * CHUNK])
def test_sizes_at_the_edges(rig: Rig, size: int) -> None:
    data = rig.data[:size]
    next(iter(rig.hub.repositories.values())).files[MODEL] = data
    rig.data = data
    file = rig.file(sha256=None, sha1=git_blob(data))
    assert rig.bring([rig.hop(files=(file,))]) == {"a": None}
    assert rig.place().read_bytes() == data


def test_long_names_and_what_others_may_read(rig: Rig) -> None:
    """The folders too: an engine runs as another user, whatever root's umask is."""
    place = rig.folder / "deep" / "er" / ("모델" * 40 + ".gguf")
    before = os.umask(0o077)
    try:
        assert rig.bring([rig.hop(files=(rig.file(place=str(place)),))]) == {"a": None}
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o777 == 0o644
    assert place.parent.stat().st_mode & 0o777 == 0o755


@as_root
def test_a_disk_without_room_is_told_with_its_numbers(rig: Rig, small_disk: Path) -> None:
    file = rig.file(place=str(small_disk / MODEL))
    failed = rig.bring([rig.hop(files=(file,), root=str(small_disk))])["a"]
    assert str(failed).startswith("a: the disk has 0.2 MiB free, 0.3 MiB are needed (")
    assert list(small_disk.iterdir()) == []
    subprocess.run(["mount", "-o", "remount,size=2m", str(small_disk)], check=True)
    assert rig.bring([rig.hop(files=(file,), root=str(small_disk))]) == {"a": None}


@as_root
def test_a_disk_that_fills_up_midway_goes_on_once_there_is_room(rig: Rig, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=500k", str(small_disk)], check=True)
    filler = small_disk / "filler"

    def fill(path: str, start: int) -> None:
        if start >= 2 * CHUNK and not filler.exists():
            filler.write_bytes(bytes(200_000))

    rig.hub.before = fill
    file = rig.file(place=str(small_disk / MODEL))
    failed = rig.bring([rig.hop(files=(file,), root=str(small_disk))])["a"]
    assert "No space left on device" in str(failed)
    assert not (small_disk / MODEL).exists()
    filler.unlink()
    rig.hub.before, sent = lambda *_: None, rig.hub.sent
    assert rig.bring([rig.hop(files=(file,), root=str(small_disk))]) == {"a": None}
    assert rig.hub.sent - sent <= len(rig.data) - 2 * CHUNK
    assert (small_disk / MODEL).read_bytes() == rig.data


@as_root
def test_a_read_only_folder_is_said(rig: Rig, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro,size=2m", str(small_disk)], check=True)
    file = rig.file(place=str(small_disk / MODEL))
    failed = rig.bring([rig.hop(files=(file,), root=str(small_disk))])["a"]
    assert str(failed).startswith("a: Read-only file system (")
