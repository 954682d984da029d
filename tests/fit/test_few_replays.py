"""What nothing depends on is not computed: a plan that looks for room replays few graphs."""

from pathlib import Path

import pytest
import yaml

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_header
from tests.fit.measured import model
from tests.fit.published import PUBLISHED
from xgen_deploy.fit import forecast as told
from xgen_deploy.fit.replay.compute import compute_bytes
from xgen_deploy.fit.settings import Device, Settings
from xgen_deploy.fit.shape import ModelShape

# Layers on devices, the split, and which of four devices have some of them.
UNUSED = [
    (5, (5.0, 0.0, 3.0, 0.0), (0, 2)),
    (2, (5.0, 1.0, 5.0, 0.0), (0, 1)),
    (3, (0.0, 0.0, 0.0, 1.0), (3,)),
    (0, (1.0, 1.0, 1.0, 1.0), ()),
]


@pytest.mark.parametrize(("layers", "split", "used"), UNUSED)
@pytest.mark.parametrize("name", ["llama32-1b", "gpt-oss-20b"])
def test_a_device_without_layers_changes_nothing(
    name: str, layers: int, split: tuple[float, ...], used: tuple[int, ...]
) -> None:
    devices = tuple(Device(name=str(number)) for number in range(4))
    asked = Settings(context=8192, layers=layers, split=split, devices=devices)
    needs = told.forecast(asked, model(name))
    compute = [need.compute for need in (*needs.devices, needs.host)]
    assert compute == compute_bytes(asked, model(name))
    assert [at for at, need in enumerate(needs.devices) if need.weights] == list(used)


def test_a_plan_that_finds_no_room_replays_few_graphs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    """Weights and caches alone say most of it."""
    asked: list[Settings] = []

    def counted(settings: Settings, shape: ModelShape) -> list[int]:
        asked.append(settings)
        return compute_bytes(settings, shape)

    monkeypatch.setattr(told, "compute_bytes", counted)
    told.forecast.cache_clear()
    monkeypatch.chdir(tmp_path)
    file = write_header(Path("large.gguf"), PUBLISHED["qwen3-235b-a22b"].shape())
    left = {"model": "large", "gpus": "auto", "n_gpu_layers": "auto"}
    host = {"cards": ["6x RTX 4090"], "driver": "570.86.15", "memory_mb": 128000}
    manifest = {
        "project": "p",
        "images": {"llama": "llama:1"},
        "inventory": {"all": {"hosts": {"h": {}}}},
        "models": {"large": {"source": "/m/large.gguf", "n_ctx": "auto"}},
        "hosts": {"h": [left]},
    }
    fleet = {"hosts": {"h": {**host, "models": {"/m/large.gguf": file.name}}}}
    Path("fleet.yaml").write_text(yaml.safe_dump(fleet))
    Path("site.yaml").write_text(yaml.safe_dump(manifest))
    _, shown = call(capsys, "plan", "site.yaml", "--fleet", "fleet.yaml")
    assert "create  large" in shown
    assert len(asked) <= 20
