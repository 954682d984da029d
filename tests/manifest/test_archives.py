"""Engine builds in archives of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.as_applied import as_applied
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.expand_home import expand_home
from xgen_deploy.manifest.from_host import manifest_from
from xgen_deploy.state.kept_manifest import KeptManifest

MANIFEST = """
project: p
inventory: hosts/site.yaml
runtime: systemd
binaries:
  llama: {archive: ../builds/llama.tar.gz, path: bin/llama-server}
  vllm: /opt/vllm
models: {m: {source: /m.gguf}}
hosts:
  a: [{model: m}]
  b: [{model: m}, {model: m, name: own, binary: {archive: /x/own.tar, path: serve}}]
  c: [{model: m}]
"""
INVENTORY = """
all:
  hosts:
    a:
    b: {xgen_model_dir: /data}
    c: {xgen_binaries: {llama: {archive: c.tgz, path: c/llama-server}}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "manifests/hosts").mkdir(parents=True)
    (tmp_path / "manifests/hosts/site.yaml").write_text(INVENTORY)
    (tmp_path / "manifests/site.yaml").write_text(MANIFEST)
    return tmp_path / "manifests/site.yaml"


def test_each_is_relative_to_the_file_that_names_it(file: Path, tmp_path: Path) -> None:
    site = load_site(str(file))
    archives = {
        host.name: sorted((a.archive, a.path) for a in host.archives.values())
        for host in site.hosts.values()
    }
    built = (f"{tmp_path}/builds/llama.tar.gz", "bin/llama-server")
    assert archives == {
        "a": [built],
        "b": sorted([built, ("/x/own.tar", "serve")]),
        "c": [(f"{tmp_path}/manifests/hosts/c.tgz", "c/llama-server")],
    }


def test_paths_on_the_host_stand_for_them(file: Path) -> None:
    site = load_site(str(file))
    assert site.binaries == {"vllm": "/opt/vllm"}
    for config in site.declared:
        host = site.hosts[config.host]
        assert config.binaries["vllm"] == "/opt/vllm"
        assert config.binaries["llama"] in host.archives
        assert config.binaries["llama"].startswith(f"{host.model_dir}/xgen/engines/")
    own = next(c for c in site.declared if c.name == "own")
    assert own.binary in site.hosts["b"].archives


def test_the_home_folder_is_known_where_the_connection_is_local(tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text(
        "project: p\nruntime: process\n"
        "inventory: {all: {hosts: {a: {ansible_connection: local, xgen_model_dir: ~/models}}}}\n"
        "binaries: {llama: {archive: ~/l.tar, path: s}}\n"
        "models: {m: {source: /m.gguf}}\nhosts: {a: [{model: m}]}\n"
    )
    site = expand_home(load_site(str(tmp_path / "site.yaml")), "/home/kim")
    (config,) = site.declared
    assert config.binaries["llama"].startswith("/home/kim/models/")
    assert config.binaries["llama"] in site.hosts["a"].archives


@pytest.mark.parametrize(
    ("binary", "told"),
    [
        ("llama: {archive: a.zip, path: b}", "an archive is a tar file, and its name ends in .tar"),
        ("llama: {archive: a.tar, path: ../b}", "`../b` is no name of a file beneath a folder"),
        ("llama: {archive: a.tar, path: /b}", "`/b` is no name of a file beneath a folder"),
        ("llama: {archive: a.tar}", "`path` is missing"),
        ("llama: [a.tar]", "a map such as `{archive: …, path: …}`"),
        ("haproxy: {archive: a.tar, path: b}", "`haproxy` cannot come in an archive: install it"),
    ],
)
def test_what_cannot_be_meant(file: Path, binary: str, told: str) -> None:
    llama = "llama: {archive: ../builds/llama.tar.gz, path: bin/llama-server}"
    file.write_text(MANIFEST.replace(llama, binary))
    with pytest.raises(ManifestError) as error:
        load_site(str(file))
    assert told in str(error.value)


def test_what_a_host_kept_names_no_file_of_this_machine(file: Path) -> None:
    site = load_site(str(file))
    kept = as_applied(site)
    hosts = kept["inventory"]["all"]["hosts"]  # type: ignore[index]
    assert hosts["a"]["xgen_binaries"]["llama"].startswith("/srv/models/xgen/engines/")
    stolen = {"archive": "/etc/shadow.tar", "path": "x"}
    kept["binaries"] = {"llama": stolen, "vllm": "/opt/vllm"}
    kept["models"] = {"m": {"source": {"local": "/etc/shadow"}, "binary": stolen}}
    hosts["a"]["xgen_binaries"] = {"llama": stolen}
    reached = replace(site.hosts["a"], address=None, user=None)
    read = manifest_from(KeptManifest(apply=1, host="a", manifest=kept), reached)
    assert "shadow" not in str(read)
    assert read["binaries"] == {"vllm": "/opt/vllm"}
