"""Where bundles are made."""

from pathlib import Path

import pytest

from tests.bundle.made import Outside
from tests.cli.call import Capsys


@pytest.fixture
def outside(capsys: Capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Outside:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Outside(capsys, tmp_path)
