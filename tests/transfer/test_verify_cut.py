"""What `models verify` has read is not read again where it was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.hub.fake_hub import sha256
from tests.transfer.rig import made
from xgen_deploy.transfer.remote.brought import note_brought
from xgen_deploy.transfer.remote.check import check
from xgen_deploy.transfer.remote.part import File


class Cut(Exception):
    pass


class Told:
    """What a check of `root` says; it is cut once so many files are told of."""

    def __init__(self, cut_after: int = 100) -> None:
        self.read, self._left = 0, cut_after
        self.checked: list[tuple[bool, bool]] = []

    def __call__(self, kind: str, **more: Any) -> None:
        if kind == "read":
            if not self._left:
                raise Cut
            self.read += more["count"]
        elif kind == "checked":
            self._left -= 1
            self.checked.append((more["ok"], more.get("earlier", False)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(3):
        data, place = made(5000, number), tmp_path / f"{number}.gguf"
        place.write_bytes(data)
        file = File(str(place), len(data), sha256(data), None)
        note_brought(str(tmp_path), file, sha256(data), [sha256(data)], "hub o/n")
    return tmp_path


def test_it_goes_on_after_the_last_whole_file(root: Path) -> None:
    first, second, third = Told(cut_after=2), Told(), Told()
    with pytest.raises(Cut):
        check(str(root), first)
    check(str(root), second)
    assert (first.checked, second.checked) == (
        [(True, False)] * 2,
        [(True, True)] * 2 + [(True, False)],
    )
    assert second.read == 5000
    check(str(root), third)
    assert (third.checked, third.read) == ([(True, False)] * 3, 15_000)


def test_one_that_changed_since_is_read_again(root: Path) -> None:
    first, second = Told(cut_after=2), Told()
    with pytest.raises(Cut):
        check(str(root), first)
    (root / "0.gguf").write_bytes(bytes(5000))
    check(str(root), second)
    assert sorted(second.checked) == [(False, False), (True, False), (True, True)]
