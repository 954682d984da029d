"""The files of an exporter on its host: units that give it no rights, and keys as credentials."""

from pathlib import Path

import pytest

from tests.plan.world import World
from xgen_deploy.render.rendered import File
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import Layout, process_layout
from xgen_deploy.state.monitoring import ExporterSpec
from xgen_deploy.watch.exporter_files import ExporterHost, exporter_files, exporter_units
from xgen_deploy.watch.exporter_settings import Watched

CASE = {
    "host": "cpu",
    "models": {"m": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "api_key": {"env": "KEY"}}},
    "place": [{"model": "m", "gpus": []}],
}
SPEC = ExporterSpec(listen="0.0.0.0", port=9809, allow=("10.0.0.9",), textfile="/var/lib/node")
HOST = ExporterHost("program", "/opt/py 3/python3", ("render", "video"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(CASE, tmp_path)
    made.apply()
    return made


def _files(world: World, layout: Layout, spec: ExporterSpec = SPEC) -> dict[str, File]:
    watched = Watched(host=Host(name="gpu-a"), token_sha256="a" * 64)
    templates = Templates(read_templates())
    files = exporter_files(world.record, layout, watched, spec, HOST, templates)
    return {Path(f.path).name: f for f in files}


def test_they_are_program_settings_and_units(world: World) -> None:
    files = _files(world, world.scene.layout)
    units = exporter_units(world.scene.layout)
    assert set(files) == {"exporter.py", "exporter.json", *units}
    assert {f.mode for f in files.values() if f.path.startswith("/var/lib")} == {0o600}
    assert {files[unit].path for unit in units} == {f"/etc/systemd/system/{u}" for u in units}


def test_who_may_ask_is_filtered_at_the_socket(world: World) -> None:
    socket = _files(world, world.scene.layout)["xgen-p-exporter.socket"].content.splitlines()
    assert "ListenStream=0.0.0.0:9809" in socket
    assert "IPAddressDeny=any" in socket
    assert "IPAddressAllow=localhost 10.0.0.9" in socket


@pytest.mark.parametrize("address", ["::", "2001:db8::1"])
def test_an_address_of_ipv6_is_in_brackets(world: World, address: str) -> None:
    spec = ExporterSpec(listen=address, port=9809)
    files = _files(world, world.scene.layout, spec)
    assert f"ListenStream=[{address}]:9809\n" in files["xgen-p-exporter.socket"].content
    assert "ReadWritePaths" not in files["xgen-p.facts.service"].content


def test_the_exporter_has_a_user_of_its_own_and_keys_as_credentials(world: World) -> None:
    service = _files(world, world.scene.layout)["xgen-p-exporter.service"].content.splitlines()
    assert "DynamicUser=yes" in service
    assert "CapabilityBoundingSet=" in service
    assert "SupplementaryGroups=render video" in service
    assert "IPAddressAllow=localhost" in service
    assert "LoadCredential=key-m:/etc/xgen-deploy/p/m/api-key" in service
    folder = "/run/credentials/xgen-p-exporter.service"
    assert f'ExecStart="/opt/py 3/python3" -I -S {folder}/program exporter' in service


def test_the_process_runtime_has_none(world: World) -> None:
    assert _files(world, process_layout("p", "/home/x/.local/state")) == {}
