"""A site of hosts in memory, and the shapes of it that tests change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake_host.host import LAYOUT, FakeHost
from tests.fake_host.site import FakeSite
from tests.render.scene import Scene
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.systemd import Systemd
from xgen_deploy.render.instance import Rendering
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.record import Record

MODEL = {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 2048, "llama": {"parallel": 2}}
GATEWAY = {"host": "g", "listen": "0.0.0.0", "port": 9000, "api_key": {"env": "CLIENT_KEY"}}
MakeSite = Callable[..., FakeSite]


def q(**fields: Any) -> dict[str, Any]:
    """The model's placement on a host's CPU."""
    return {"model": "q", "gpus": [], **fields}


@pytest.fixture
def make_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> MakeSite:
    """Of hosts by name and kind, and what stands in the manifest over the usual."""

    def make(kinds: dict[str, str] | None = None, **manifest: Any) -> FakeSite:
        usual = {"models": {"q": MODEL}, "hosts": {"h": [q()]}}
        return FakeSite(tmp_path, capsys, monkeypatch, kinds or {"h": "cpu"}, {**usual, **manifest})

    return make


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """One host with one model, not applied yet."""
    return make_site()


@pytest.fixture
def gateway_site(make_site: MakeSite) -> FakeSite:
    """Host `h` runs the model, host `g` the gateway; applied."""
    models = {"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}}
    made = make_site({"g": "cpu", "h": "cpu"}, gateway=GATEWAY, models=models)
    made.apply()
    made.forget()
    return made


def context_on(host: FakeHost, folder: Path) -> HostContext:
    """A host that is being changed, of which nothing is recorded yet."""
    case = {"host": "cpu", "models": {"q": MODEL}, "place": [q()]}
    session = host.session()
    return HostContext(
        name=host.name,
        session=session,
        layout=LAYOUT,
        rendering=Rendering(LAYOUT, Templates(read_templates())),
        service_manager=Systemd(host.name, session),
        record=Record(project="p"),
        secrets=SecretResolver(Scene(case, folder).site),
    )
