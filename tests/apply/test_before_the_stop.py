"""Whatever fails before the old version is stopped leaves it as it is; what fails after that puts
it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.apply.folder_host import FolderSession, SaidToRun
from tests.render.scene import Scene
from xgen_deploy.apply import stop_first
from xgen_deploy.apply.execution import Execution, OperationFailed
from xgen_deploy.apply.gate import GatePassed
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.key_rotation import KeyRotation
from xgen_deploy.apply.stop_first import bring_up
from xgen_deploy.apply.traffic import Traffic
from xgen_deploy.errors import XgenError
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout, process_layout
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.plan import Kind, Operation
from xgen_deploy.state.record import InstanceRecord, Record

OLD = "the one that works"
MOST_CHANGES = 60


class World:
    """A host on which a version works, and another one that is to replace it."""

    def __init__(self, folder: Path) -> None:
        case: dict[str, Any] = {
            "host": "cpu",
            "runtime": "process",
            "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096}},
            "place": [{"model": "q"}],
        }
        folder.mkdir()
        self._scene = Scene(case, folder)
        self.layout: Layout = process_layout("p", str(folder))
        self.restarted = folder / "restarted"
        self.service_manager = SaidToRun(self.restarted)
        (self.instance,) = self._scene.resolved().instances
        for path in self._live():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(OLD)

    def _live(self) -> tuple[Path, Path]:
        settings = Path(self.layout.settings("q"), "start.json")
        return Path(self.layout.definition("q")), settings

    def live(self) -> list[str]:
        return [path.read_text() for path in self._live()]

    def beside(self) -> list[str]:
        """What lies there that is not in use."""
        folders = (self.layout.etc_dir, self.layout.definitions)
        found = {path.name for folder in folders for path in Path(folder).iterdir()}
        return sorted(found - {"q", "xgen-p-q.conf"})

    def change(self, session: FolderSession) -> str | None:
        """What was said of its failure."""
        instance: Instance = self.instance
        last = InstanceRecord(spec=instance.spec, digest="of the old one")
        work = HostContext(
            "h",
            session,
            self.layout,
            Rendering(self.layout, Templates(read_templates())),
            self.service_manager,
            Record(project="p", instances={"q": last}),
            SecretResolver(self._scene.site),
        )
        update = Operation(
            id="h/q", host="h", name="q", kind=Kind.UPDATE, cause="a test", instance=instance
        )
        traffic = Traffic(self._scene.site, {"h": work}, {}, 1, KeyRotation(self._scene.site, {}))
        try:
            bring_up(Execution(work, traffic, 1, "ops", lambda _: None), update)
        except (OperationFailed, XgenError) as error:
            return str(error)
        return None


@pytest.fixture(autouse=True)
def _proved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_first, "prove", lambda *_: GatePassed(LoadReport(), "run"))


def test_a_write_that_fails_before_anything_was_stopped_leaves_the_old_one_alone(
    tmp_path: Path,
) -> None:
    """Every change of the disk in turn is the one that fails."""
    alone = back = 0
    for number in range(1, MOST_CHANGES):
        world = World(tmp_path / str(number))
        said = world.change(FolderSession(fails_at=number))
        if said is None:
            break
        if world.service_manager.started:
            continue  # of the record, once it serves
        assert world.live() == [OLD, OLD], (number, said)
        assert world.beside() == [], number
        assert world.service_manager.stopped == []
        if world.restarted.exists():
            back += 1
            assert "put back" in said
        else:
            alone += 1
    else:
        pytest.fail("it never comes to an end")
    assert OLD not in world.live()
    assert world.service_manager.started == ["xgen-p-q"]
    assert alone > 8
    assert back == 2, "the two moves that put the new files in place"
