"""Runs side by side get labs that have nothing in common."""

from pathlib import Path

import pytest

from tests.lab import places
from tests.lab.claim import is_taken, own_lab
from tests.lab.spec import CATALOGUE


def _of_the_machine() -> set[str]:
    """What this machine knows a lab by."""
    host = CATALOGUE["lab-fleet"]
    own = {str(places.run_dir()), places.bridge(), host.interface}
    return own | set(host.all_addresses)


def test_two_labs_share_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with own_lab():
        number, first = places.number(), _of_the_machine()
        with own_lab():
            assert not first & _of_the_machine()
    assert not is_taken(number)


def test_a_lab_is_taken_while_its_run_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with own_lab():
        assert is_taken(places.number())
