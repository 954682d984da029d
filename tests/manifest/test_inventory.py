import json
import re
from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import ManifestError, Problems
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.inventory.group_vars import add_vars_beside
from xgen_deploy.manifest.inventory.host_range import expanded
from xgen_deploy.manifest.inventory.load import Inventory, read_inventory
from xgen_deploy.manifest.inventory.sources import read_source
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import plain
from xgen_deploy.manifest.scalars import yaml11
from xgen_deploy.state.host import Host

ANSIBLE = Path(__file__).parent / "cases" / "ansible"


def _inventory() -> Inventory:
    problems = Problems()
    file = ANSIBLE / "inventory.yaml"
    root = parse(str(file), file.read_text(), yaml11, problems)
    assert root is not None
    inventory = read_inventory((str(file),), [root], problems)
    add_vars_beside(inventory, set(inventory.hosts), Files(), problems)
    assert not problems.found
    return inventory


def test_variables_are_those_that_ansible_gives() -> None:
    """hostvars.json is what `ansible-inventory --list` (core 2.19) says of the same files."""
    inventory = _inventory()
    for host, wanted in json.loads((ANSIBLE / "hostvars.json").read_text()).items():
        found = {key: plain(entry.node) for key, entry in inventory.variables(host).items()}
        found.pop("ansible_group_priority", None)
        assert found == wanted, host


def _read_as(expected: str, *sources: str) -> Inventory:
    problems, files = Problems(), Files()
    paths = tuple(str(ANSIBLE.parent / source) for source in sources)
    roots = [root for path in paths for root in read_source(path, files, problems)]
    inventory = read_inventory(paths, roots, problems)
    add_vars_beside(inventory, set(inventory.hosts), files, problems)
    assert not problems.found
    told = json.loads((ANSIBLE.parent / f"{expected}.json").read_text())
    for host, variables in told.items():
        read = {key: plain(entry.node) for key, entry in inventory.variables(host).items()}
        read.pop("ansible_group_priority", None)
        assert read == variables, host
    assert set(inventory.hosts) == set(told)
    return inventory


def test_several_inventories_are_merged_as_ansible_merges_them() -> None:
    _read_as("ansible_both", "ansible/inventory.yaml", "ansible_folder")


def test_a_folder_of_ini_and_yaml_is_read_as_ansible_reads_it() -> None:
    """ansible_folder.json is what `ansible-inventory --list` (core 2.17) says of the folder."""
    inventory = _read_as("ansible_folder", "ansible_folder")
    assert inventory.members("site") == (*(f"gpu-0{n}" for n in range(1, 7)), "amd-1", "gpu-07")


def test_members_of_nested_groups() -> None:
    inventory = _inventory()
    assert inventory.members("top") == ("leaf01", "leaf02", "leaf03", "na", "nb", "nc")
    assert set(inventory.members("all")) == set(inventory.hosts)
    assert [group.name for group in inventory.groups_of("leaf01")] == ["top", "leaf", "zed", "abc"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("gpu[01:03]", ["gpu01", "gpu02", "gpu03"]),
        (
            "r[a:c]-[1:2].lan",
            ["ra-1.lan", "ra-2.lan", "rb-1.lan", "rb-2.lan", "rc-1.lan", "rc-2.lan"],
        ),
        ("n[0:10:5]", ["n0", "n5", "n10"]),
        ("plain", ["plain"]),
        ("fe80::1", ["fe80::1"]),
    ],
)
def test_host_ranges(pattern: str, names: list[str]) -> None:
    assert expanded(pattern) == names


@pytest.mark.parametrize(
    "pattern", ["g[5:1]", "g[c:a]", "g[01:100]", "g[1:x]", "g[1:99999999]", "g[:]"]
)
def test_host_ranges_that_are_none(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"range|hosts"):
        expanded(pattern)


def _hosts(tmp_path: Path, variables: str) -> Host:
    (tmp_path / "hosts.yml").write_text(f"all: {{hosts: {{h: {{{variables}}}}}}}\n")
    site = tmp_path / "site.yaml"
    site.write_text("project: a\nmodels: {}\nhosts: {h: []}\n")
    return load_site(str(site), inventory=str(tmp_path / "hosts.yml")).hosts["h"]


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ("", {"address": None, "become": None, "model_dir": "/srv/models", "software_gpu": 0}),
        ("ansible_host: 192.0.2.1, ansible_port: '2222', ansible_user: kim", {"port": 2222}),
        ("ansible_ssh_host: 192.0.2.7", {"address": "192.0.2.7"}),
        ("ansible_become: no", {"become": False}),
        ("ansible_connection: smart", {"connection": "ssh"}),
        ("ansible_connection: ansible.builtin.ssh", {"connection": "ssh"}),
        ("ansible_connection: paramiko_ssh", {"connection": "ssh"}),
        ("ansible_connection: ansible.builtin.local", {"connection": "local"}),
        ("ansible_become_method: ansible.builtin.sudo", {"become": None}),
        ("ansible_python_interpreter: auto_silent", {"python": None}),
        ("ansible_python_interpreter: /opt/python3", {"python": "/opt/python3"}),
        ("ansible_python_interpreter: /usr/bin/env python3.12", {"python": "python3.12"}),
        ("ansible_ssh_common_args: -J a", {"proxy_jump": ("a",)}),
        (
            "ansible_ssh_args: -C -o ControlMaster=auto -J a, ansible_ssh_extra_args: -J b",
            {"proxy_jump": ("a",), "ssh_settings": ()},
        ),
        (
            "ansible_become_flags: -H -S -n, ansible_ssh_executable: ssh, ansible_sudo_user: root",
            {"become": None},
        ),
        ("xgen_model_dir: /data/", {"model_dir": "/data/", "hf_home": "/data/hf"}),
        ("xgen_hf_home: /hf", {"hf_home": "/hf"}),
        ("xgen_software_gpu: yes", {"software_gpu": 1}),
        ("xgen_software_gpu: 2", {"software_gpu": 2}),
        ("xgen_reserved_gpus: [3, GPU-1f]", {"reserved_gpus": (3, "GPU-1f")}),
        ("xgen_reserved_mb: 2000", {"reserved_mb": 2000}),
        ("xgen_reserved_mb: '2000'", {"reserved_mb": 2000}),
        ("xgen_reserved_mb: {0: 2000, GPU-1f: 0}", {"reserved_mb": {0: 2000, "GPU-1f": 0}}),
        ("xgen_ports: 9001", {"ports": "9001"}),
        ("xgen_address: llm.example.net", {"client_address": "llm.example.net"}),
        ("ansible_ssh_retries: 3, ansible_remote_tmp: /x, role_var: !vault x", {"user": None}),
    ],
)
def test_a_host_of_an_inventory(variables: str, wanted: dict[str, object], tmp_path: Path) -> None:
    host = _hosts(tmp_path, variables)
    assert {key: getattr(host, key) for key in wanted} == wanted


def test_a_file_of_host_names_is_an_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("# ours\ngpu-[1:2]\ngpu-3:2222\n")
    site = tmp_path / "site.yaml"
    site.write_text("project: a\ninventory: hosts\nmodels: {}\nhosts: {all: []}\n")
    hosts = load_site(str(site)).hosts
    assert {name: host.port for name, host in hosts.items()} == {
        "gpu-1": None,
        "gpu-2": None,
        "gpu-3": 2222,
    }


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpu-a,gpu-b", "a list of hosts is no inventory here; name them in a file"),
        ("hosts.toml", "in TOML is not read; `ansible-inventory -i "),
    ],
)
def test_what_is_no_inventory_here(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "hosts.toml").write_text("[gpu.hosts.a]\nansible_user = 'x'\n")
    site = tmp_path / "site.yaml"
    site.write_text("project: a\nmodels: {}\nhosts: {h: []}\n")
    with pytest.raises(ManifestError, match=re.escape(message)):
        load_site(str(site), inventory=str(tmp_path / name))


def test_without_an_inventory_names_are_those_of_ssh(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("project: a\nmodels: {}\nhosts: {gpu-a: []}\n")
    assert load_site(str(site)).hosts == {"gpu-a": Host(name="gpu-a")}


def test_a_vars_file_that_is_encrypted_as_a_whole_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars" / "h").write_text("$ANSIBLE_VAULT;1.1;AES256\n3132\n")
    (tmp_path / "hosts.yml").write_text("all: {hosts: {h: }, var: {a: b}}\n")
    site = tmp_path / "site.yaml"
    site.write_text("project: a\ninventory: hosts.yml\nmodels: {}\nhosts: {h: []}\n")
    warnings = load_site(str(site)).warnings
    assert any("encrypted with ansible-vault" in one for one in warnings)
    assert any("`var` in group `all` is ignored" in one for one in warnings)
