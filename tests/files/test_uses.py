"""Which files that lie on a host are needed, and by what."""

from __future__ import annotations

import pytest

from xgen_deploy.files.uses import needless, uses_of
from xgen_deploy.state.stock import Need, Stock, StoredFile

HUB = "/m/hf/hub/models--o--n"
OLD, NEW = f"{HUB}/snapshots/old", f"{HUB}/snapshots/new"


def stored(name: str, place: str, *links: str, origin: str = "hub o/n@new") -> StoredFile:
    return StoredFile(
        root="/m", name=name, place=place, size=1, mtime_ns=1, origin=origin, at=float(name),
        state="whole", links=links,
    )  # fmt: skip


WEIGHTS = stored("1", f"{HUB}/blobs/w", f"{NEW}/w.safetensors")
BEFORE = stored("2", f"{HUB}/blobs/v", f"{OLD}/w.safetensors", origin="hub o/n@old")
CONFIG = stored("3", f"{HUB}/blobs/c", f"{OLD}/c.json", f"{NEW}/c.json", origin="hub o/n@old")
FIRST = stored("4", "/m/x/q-00001-of-00002.gguf", origin="https x")
SECOND = stored("5", "/m/x/q-00002-of-00002.gguf", origin="https x")
THIRD = stored("6", "/m/x/q-00001-of-00003.gguf", origin="another")
ALL = (WEIGHTS, BEFORE, CONFIG, FIRST, SECOND, THIRD)


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        (NEW, {WEIGHTS, CONFIG}),
        (f"{NEW}/", {WEIGHTS, CONFIG}),
        (f"{NEW}/w.safetensors", {WEIGHTS}),
        (OLD, {BEFORE, CONFIG}),
        ("/m/x/q-00001-of-00002.gguf", {FIRST, SECOND}),
        (f"{HUB}/blobs/w", {WEIGHTS}),
        ("/m/link", {FIRST, SECOND, THIRD}),
        ("/m/x/q", set()),
        ("/other", set()),
    ],
)
def test_what_a_path_needs(path: str, needed: set[StoredFile]) -> None:
    """A revision's files, those of several revisions, all parts of a GGUF, and no others."""
    uses = uses_of(Stock(ALL, real={"/m/link": "/m/x"}), [Need(path, "q")])
    assert {f for f in ALL if uses.get(f.place) == ("q",)} == needed


def test_what_came_together_is_needed_together() -> None:
    """Where an engine is pointed at one file of what it loads."""
    projector = stored("7", "/m/y/mmproj.gguf", origin="https y")
    model = stored("8", "/m/y/model.gguf", origin="https y")
    uses = uses_of(Stock((projector, model)), [Need(model.place, "q")])
    assert set(uses) == {projector.place, model.place}


def test_hosts_that_share_a_folder_need_for_one_another() -> None:
    stocks = {"a": Stock(ALL), "b": Stock(ALL), "c": Stock((stored("9", FIRST.place),))}
    uses = {
        "a": uses_of(stocks["a"], [Need(FIRST.place, "q")]),
        "b": uses_of(stocks["b"], [Need(NEW, "r")]),
        "c": uses_of(stocks["c"], []),
    }
    idle = needless(stocks, uses)
    assert idle["a"] == idle["b"] == (BEFORE, THIRD)
    assert [file.name for file in idle["c"]] == ["9"]
