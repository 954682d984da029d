from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site

BASE = """\
project: base
inventory: hosts.yaml
ports: 9001-9010
models:
  q: {source: /srv/q.gguf, n_ctx: 1024, llama: {parallel: 4, extra_args: [a, b]}}
  r: {source: org/r, api_key: {file: r.key}}
hosts:
  gpu-a:
    - {model: q, gpus: [0], llama: {tensor_split: [1]}}
    - {model: r, gpus: [1]}
  gpu-b:
    - {model: q}
"""
SITE = """\
extends: shared/base.yaml
project: site
ports: null
models:
  q: {n_ctx: 2048, llama: {parallel: null, extra_args: [c]}}
hosts:
  gpu-a:
    - {model: q, n_gpu_layers: 33}
    - {model: q, name: second}
  gpu-b: []
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "base.yaml").write_text(BASE)
    (tmp_path / "shared" / "hosts.yaml").write_text("all: {hosts: {gpu-a: , gpu-b: }}\n")
    (tmp_path / "site.yaml").write_text(SITE)
    return load_site(str(tmp_path / "site.yaml"))


def _named(site: Site, name: str) -> InstanceConfig:
    return next(one for one in site.declared if one.name == name)


def test_placements_merge_by_instance_name(site: Site) -> None:
    assert [(one.host, one.name) for one in site.declared] == [
        ("gpu-a", "q"),
        ("gpu-a", "r"),
        ("gpu-a", "second"),
    ]
    q = _named(site, "q")
    assert (q.gpus, q.n_gpu_layers, q.layers_here, q.n_ctx) == ((0,), 33, True, 2048)


def test_maps_merge_lists_replace_and_null_resets(site: Site) -> None:
    llama = _named(site, "q").llama
    assert (llama.parallel, llama.extra_args, llama.tensor_split) == (None, ("c",), (1.0,))
    assert site.project == "site"
    assert _named(site, "q").ports == (8001, 8020)


def test_paths_are_relative_to_the_file_they_stand_in(site: Site, tmp_path: Path) -> None:
    assert set(site.hosts) == {"gpu-a", "gpu-b"}
    key = _named(site, "r").api_key
    assert key is not None
    assert key.file == str(tmp_path / "shared" / "r.key")


def test_each_field_remembers_its_file(site: Site, tmp_path: Path) -> None:
    marks = _named(site, "q").marks
    assert str(marks["n_ctx"]) == f"{tmp_path}/site.yaml:5:7"
    assert str(marks["source"]) == f"{tmp_path}/shared/base.yaml:5:7"
    assert str(marks["gpus"]) == f"{tmp_path}/shared/base.yaml:9:18"
    assert str(marks["n_gpu_layers"]) == f"{tmp_path}/site.yaml:8:18"


def test_the_digest_is_of_every_file(site: Site, tmp_path: Path) -> None:
    again = load_site(str(tmp_path / "site.yaml"))
    assert again.manifest_digest == site.manifest_digest
    (tmp_path / "shared" / "hosts.yaml").write_text("all: {hosts: {gpu-a: , gpu-b: }} \n")
    assert load_site(str(tmp_path / "site.yaml")).manifest_digest != site.manifest_digest
    assert [Path(file).name for file in site.files] == ["site.yaml", "base.yaml", "hosts.yaml"]


def test_several_bases_the_later_one_wins(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "project: a\npull: never\nmodels: {q: {source: /a, n_ctx: 1}}\n"
    )
    (tmp_path / "b.yaml").write_text("project: b\nmodels: {q: {source: /b}}\n")
    path = tmp_path / "site.yaml"
    path.write_text("extends: [a.yaml, b.yaml]\nhosts: {h: [{model: q}]}\n")
    site = load_site(str(path))
    one = site.declared[0]
    assert (site.project, one.source, one.n_ctx, one.pull) == ("b", "/b", 1, "never")
