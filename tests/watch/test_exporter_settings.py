"""What an exporter is told follows from its host's record."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plan.world import World
from xgen_deploy.frozen import replace
from xgen_deploy.state.host import Host
from xgen_deploy.state.settings import Runtime
from xgen_deploy.watch.exporter_settings import (
    Watched,
    engine_addresses,
    engine_keys,
    exporter_settings,
)

CASE = {
    "host": "cpu",
    "models": {
        "m": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "api_key": {"env": "KEY"}},
    },
    "place": [{"model": "m", "gpus": []}],
}
HOST = Host(name="gpu-a", reserved_mb={0: 2048, "GPU-1": 4096})


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(CASE, tmp_path)
    made.apply()
    return made


def _settings(world: World) -> dict[str, Any]:
    watched = Watched(host=HOST, token_sha256="a" * 64, certificates={"exporter": "/etc/x/tls.pem"})
    document = json.loads(exporter_settings(world.record, world.scene.layout, watched))
    return dict(document)


def test_an_engine_is_asked_where_it_listens_and_with_its_key(world: World) -> None:
    settings = _settings(world)
    (engine,) = settings["engines"]
    assert engine == {
        "instance": "m",
        "model": "m",
        "address": "127.0.0.1",
        "port": world.record.instances["m"].spec.port,
        "page": "llamacpp",
        "health_path": "/health",
        "credential": "key-m",
        "key_file": "/etc/xgen-deploy/p/m/api-key",
        "key_pattern": None,
        "unit": "xgen-p-m.service",
        "objectives": {},
    }
    (key,) = engine_keys(world.record, world.scene.layout)
    assert (key.name, key.file) == ("key-m", "/etc/xgen-deploy/p/m/api-key")


def test_an_engine_in_its_second_slot_is_asked_there(world: World) -> None:
    last = replace(world.record.instances["m"], slot=".b")
    record = world.record.with_instance("m", last)
    (key,) = engine_keys(record, world.scene.layout)
    assert key.file == "/etc/xgen-deploy/p/m.b/api-key"


def test_the_host_has_what_the_inventory_says(world: World) -> None:
    settings = _settings(world)
    assert (settings["host"], settings["project"]) == ("gpu-a", "p")
    assert settings["reserved_mb"] == {"0": 2048, "GPU-1": 4096}
    assert settings["folders"] == ["/srv/models", "/srv/models/hf", "/m"]
    assert settings["gateway"] is None
    assert settings["change_seconds"] == 900.0


@pytest.mark.parametrize(
    ("listen", "runtime", "addresses"),
    [
        ("0.0.0.0", "docker", ()),
        ("::1", "docker", ()),
        ("10.0.0.5", "systemd", ("10.0.0.5",)),
        ("10.0.0.5", "docker", ("10.0.0.5", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ],
)
def test_addresses_besides_loopback(
    world: World, listen: str, runtime: Runtime, addresses: tuple[str, ...]
) -> None:
    last = world.record.instances["m"]
    moved = replace(last, spec=replace(last.spec, listen=listen, runtime=runtime))
    assert engine_addresses(world.record.with_instance("m", moved)) == addresses
