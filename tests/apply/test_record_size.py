"""No apply writes a record that the next one would refuse to read."""

from pathlib import Path

import pytest

from tests.apply.folder_host import FolderSession, at_work
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import HostError


def test_a_record_that_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xgen_deploy.apply.host_context.RECORD", 1000)
    layout = Layout(project="p", state_dir=str(tmp_path), etc_dir="/e", unit_dir=str(tmp_path))
    work = at_work(FolderSession(), layout, tmp_path)
    work.keep(lambda record: record.begun("q", "a"))
    before = Path(layout.record).read_bytes()
    with pytest.raises(HostError, match="the record would be longer than"):
        work.keep(lambda record: record.begun("q", "a" * 1000))
    assert Path(layout.record).read_bytes() == before
    assert work.record.pending == {"q": "a"}
