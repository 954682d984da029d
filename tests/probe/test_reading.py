"""Small files that a host may have put in the place of others."""

import os
from pathlib import Path

from xgen_deploy.probe.remote.reading import read_text


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "note.json")
    assert read_text(str(tmp_path / "note.json")) is None


def test_a_folder_and_what_is_not_there(tmp_path: Path) -> None:
    assert read_text(str(tmp_path)) is None
    assert read_text(str(tmp_path / "none")) is None
