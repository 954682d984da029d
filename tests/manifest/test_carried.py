"""What a manifest's other site gets of it and of its inventory."""

from pathlib import Path

import pytest

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.carried import carried_files, carried_inventory, has_own_inventory
from xgen_deploy.manifest.load import Reading, checked_site, load_site, read
from xgen_deploy.state.site import Site

MANIFEST = """\
project: p
extends: ../base.yaml
inventory: ../inventory.ini
models:
  q: {source: /m/q.gguf, n_ctx: "${context}"}
hosts:
  gpu: [{model: q}]
"""
INVENTORY = """\
[gpu]
a ansible_host=10.0.0.1 ansible_user=ops db_password=hunter2 xgen_ports=9000-9100
b ansible_host=10.0.0.2 xgen_model_dir=/data
[other]
c ansible_host=10.0.0.3
[all:vars]
xgen_vars={"context": 1024}
smtp_password=hunter3
"""


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests/site.yaml").write_text(MANIFEST)
    (tmp_path / "base.yaml").write_text("runtime: systemd\n")
    (tmp_path / "inventory.ini").write_text(INVENTORY)
    (tmp_path / "more.yaml").write_text("context: 2048\n")
    path, variables = str(tmp_path / "manifests/site.yaml"), [f"@{tmp_path}/more.yaml"]
    return read(path, engine_words(), variables=variables)


def _there(reading: Reading, folder: Path, inventory: str | None) -> Site:
    carried = carried_files(reading, checked_site(reading))
    for name, content in carried.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "inventory.yaml").write_text(inventory or "")
    variables = [v.replace("@", f"@{folder}/") for v in carried.variables]
    return load_site(
        str(folder / carried.main),
        engine_words(),
        inventory=(str(folder / "inventory.yaml"),),
        variables=variables,
    )


def test_the_other_site_is_the_same(reading: Reading, tmp_path: Path) -> None:
    own = checked_site(reading)
    inventory = carried_inventory(reading, addresses=True)
    there = _there(reading, tmp_path / "there", inventory)
    assert there.hosts == own.hosts
    assert there.groups["gpu"] == ("a", "b")
    assert [c.n_ctx for c in there.declared] == [2048, 2048]
    assert (there.runtime, there.project) == ("systemd", "p")


def test_nothing_else_of_the_inventory_goes_along(reading: Reading, tmp_path: Path) -> None:
    checked = checked_site(reading)
    inventory = carried_inventory(reading, addresses=True) or ""
    assert "hunter" not in inventory
    assert "10.0.0.3" not in inventory, "the manifest does not use it"
    names = set(carried_files(reading, checked).files)
    assert names == {"manifests/site.yaml", "base.yaml", "more.yaml"}


def test_addresses_can_be_left_out(reading: Reading, tmp_path: Path) -> None:
    inventory = carried_inventory(reading, addresses=False) or ""
    assert "10.0.0" not in inventory
    assert "ops" not in inventory
    there = _there(reading, tmp_path / "there", inventory)
    assert (there.hosts["a"].ports, there.hosts["b"].model_dir) == ("9000-9100", "/data")
    assert [h.address for h in there.hosts.values()] == [None, None]


def test_an_inventory_within_the_manifest_is_told_apart(reading: Reading, tmp_path: Path) -> None:
    assert not has_own_inventory(reading)
    path = tmp_path / "own.yaml"
    path.write_text("project: p\ninventory: {all: {hosts: {h: {}}}}\nmodels: {}\nhosts: {h: []}\n")
    assert has_own_inventory(read(str(path), engine_words()))
