"""Whatever ends a transfer, the next one goes on: at most a chunk comes twice, and nothing that got
damaged meanwhile is taken for good.
"""

from __future__ import annotations

import json

import pytest

from tests.hub.fake_hub import sha256
from tests.transfer.rig import CHUNK, MODEL, Rig, Running, chunks_of, flip
from tests.transport.eventually import eventually
from xgen_deploy.state.transfer import Link, Text
from xgen_deploy.transfer.remote.brought import brought
from xgen_deploy.transfer.remote.part import CHUNK as REAL_CHUNK


def _resumed(rig: Rig) -> int:
    """Bytes of what was left to bring, as the hub was asked for them."""
    rig.hub.seen.clear()
    rig.told.clear()
    assert rig.bring([rig.hop()]) == {"a": None}
    assert rig.place().read_bytes() == rig.data
    assert rig.litter() == []
    return rig.came("a")


@pytest.mark.parametrize("at", [0, CHUNK // 2, CHUNK, 3 * CHUNK + 20_000, 5 * CHUNK])
def test_after_kill_9_at_most_a_chunk_comes_twice(rig: Rig, at: int) -> None:
    rig.killed_at(at)
    assert not rig.place().exists()
    came = _resumed(rig)
    whole = sum(event.count for event in rig.events("resumed"))
    assert whole == at // CHUNK * CHUNK
    assert came == len(rig.data) - whole


def test_a_chunk_is_small_enough_to_come_twice() -> None:
    assert CHUNK < REAL_CHUNK <= 64 << 20


def test_a_part_is_hidden_and_has_no_name_of_a_model(rig: Rig) -> None:
    rig.killed_at(2 * CHUNK)
    assert all(p.name.startswith(".") for p in rig.place().parent.iterdir())
    assert not list(rig.place().parent.rglob("*.gguf"))


def test_a_byte_that_flipped_in_a_part_costs_its_chunk(rig: Rig) -> None:
    rig.killed_at(4 * CHUNK)
    flip(rig.part(), CHUNK + 99)
    assert _resumed(rig) == len(rig.data) - 3 * CHUNK
    assert rig.events("note")[-1].text == "1 of 6 chunks got damaged on this disk"


def test_a_byte_that_flipped_in_its_place_costs_its_chunk(rig: Rig) -> None:
    assert rig.bring([rig.hop()]) == {"a": None}
    flip(rig.place(), 3 * CHUNK + 1)
    assert _resumed(rig) == CHUNK


@pytest.mark.parametrize("cut", [1, 20, 70])
def test_a_journal_that_was_cut_short_counts_up_to_there(rig: Rig, cut: int) -> None:
    rig.killed_at(4 * CHUNK)
    rig.journal().write_bytes(rig.journal().read_bytes()[:-cut])
    assert _resumed(rig) == len(rig.data) - 3 * CHUNK


@pytest.mark.parametrize("text", [b"", b"\xff\x00", b'{"content": "other", "size": 1}\n', b"[1]\n"])
def test_a_journal_of_something_else_counts_nothing(rig: Rig, text: bytes) -> None:
    rig.killed_at(4 * CHUNK)
    rig.journal().write_bytes(text)
    assert _resumed(rig) == len(rig.data)


def test_what_was_cut_before_it_was_noted_is_noted_by_the_next(rig: Rig) -> None:
    """Killed right after the file got its name."""
    rig.killed_at(5 * CHUNK)
    part, journal = rig.part(), rig.journal()
    lines = [json.loads(line) for line in journal.read_text().splitlines()][:2]
    lines += [{"chunk": k, "sha256": d} for k, d in enumerate(chunks_of(rig.data))]
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    part.unlink()
    rig.place().write_bytes(rig.data)
    assert _resumed(rig) == 0
    (note,) = brought(str(rig.place().parent))
    assert (note["place"], note["sha256"]) == (str(rig.place()), sha256(rig.data))


def test_a_file_of_somebody_else_is_used_and_not_taken_for_ours(rig: Rig) -> None:
    rig.place().parent.mkdir(parents=True)
    rig.place().write_bytes(rig.data)
    assert _resumed(rig) == 0
    assert brought(str(rig.place().parent)) == []


def test_it_ends_with_the_side_that_wants_it(rig: Rig) -> None:
    running: list[Running] = []

    def leave(path: str, start: int) -> None:
        if start == 2 * CHUNK:
            assert eventually(lambda: len(rig.noted()) == 2)
            assert running[0].end() == 1

    rig.hub.before = leave
    running.append(Running.start(rig.request()))
    running[0].process.wait(60)
    assert not rig.place().exists()
    assert _resumed(rig) == len(rig.data) - 2 * CHUNK


@pytest.mark.parametrize("route", ["download", "receive"])
def test_it_ends_where_nothing_is_heard_any_more(rig: Rig, route: str) -> None:
    """As behind a link that is dead without a word: its input stays open. Then another one can
    go on."""
    rig.hub.before = lambda *_: running.wait(60)
    running = Running.start(rig.request(route=route), **{"60.0": "0.5"})
    assert running.process.wait(60) == 1
    assert running.process.stdin is not None
    assert not running.process.stdin.closed
    rig.hub.before = lambda *_: None
    _resumed(rig)


def test_signs_of_life_keep_it(rig: Rig) -> None:
    running = Running.start(rig.request(route="receive"), **{"60.0": "2.0"})
    running.next("need")
    for _ in range(12):
        running.send(b"\n")
        with pytest.raises(TimeoutError):
            running.wait(0.25)
    running.end()


def test_two_transfers_of_one_content_fetch_it_once(rig: Rig) -> None:
    """And two hosts over one folder."""
    others: list[Running] = []

    def second(path: str, start: int) -> None:
        if start == CHUNK:
            others.append(Running.start(rig.request()))
            others[0].next("waiting")

    rig.hub.before = second
    assert rig.bring([rig.hop()]) == {"a": None}
    others[0].next("there")
    others[0].next("done")
    others[0].end()
    assert rig.hub.sent == len(rig.data)
    assert rig.litter() == []


def test_links_and_texts_come_last_and_leave_no_draft(rig: Rig) -> None:
    folder = rig.place().parent
    link = Link(path=str(folder / "s/c" / MODEL), target=f"../../{MODEL}")
    text = Text(path=str(folder / "refs/main"), content="c" * 40)
    for _ in range(2):
        running = Running.start(rig.request(links=(link,), texts=(text,)))
        running.next("done")
        running.end()
    assert (folder / "s/c" / MODEL).read_bytes() == rig.data
    assert (folder / "refs/main").read_text() == "c" * 40
    assert sorted(p.name for p in folder.rglob("*") if not p.is_dir()) == sorted(
        [MODEL, MODEL, "main", *(p.name for p in (folder / ".xgen/files").iterdir())]
    )
