"""No apply writes a record that the next one would refuse to read."""

from pathlib import Path

import pytest

from tests.apply.folder_host import FolderSession, SaidToRun
from tests.render.scene import Scene
from xgen_deploy.apply.place import HostAtWork
from xgen_deploy.apply.secrets import SecretResolver
from xgen_deploy.layout import Layout
from xgen_deploy.record import Record
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.templates import Templates
from xgen_deploy.template_files import read_templates
from xgen_deploy.transport.base import HostError


def test_a_record_that_could_not_be_read_again_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("xgen_deploy.apply.place.RECORD", 1000)
    layout = Layout(project="p", state_dir=str(tmp_path), etc_dir="/e", unit_dir=str(tmp_path))
    case = {
        "host": "cpu",
        "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
        "place": [{"model": "q"}],
    }
    work = HostAtWork(
        "h",
        FolderSession(),
        layout,
        Rendering(layout, Templates(read_templates())),
        SaidToRun(tmp_path / "restarted"),
        Record(project="p"),
        SecretResolver(Scene(case, tmp_path).site),
    )
    work.keep(pending={"q": "a"})
    before = Path(layout.record).read_bytes()
    with pytest.raises(HostError, match="the record would be longer than"):
        work.keep(pending={"q": "a" * 1000})
    assert Path(layout.record).read_bytes() == before
    assert work.record.pending == {"q": "a"}
