"""No apply writes a record that the next one would refuse to read."""

from pathlib import Path

import pytest

from tests.apply.conftest import context_on
from tests.fake_host.host import LAYOUT, FakeHost
from xgen_deploy.transport.base import HostError


def test_a_record_that_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xgen_deploy.apply.host_context.RECORD", 1000)
    host = FakeHost("h")
    host.make_folder(LAYOUT.state_dir)
    context = context_on(host, tmp_path)
    context.keep(lambda record: record.begun("q", "a"))
    before = host.files[LAYOUT.record]
    with pytest.raises(HostError, match="the record would be longer than"):
        context.keep(lambda record: record.begun("q", "a" * 1000))
    assert host.files[LAYOUT.record] == before
    assert context.record.pending == {"q": "a"}
