"""What hosts keep of an apply reads as the same instances."""

from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.frozen import replace
from xgen_deploy.manifest.as_applied import as_applied
from xgen_deploy.manifest.from_host import manifest_from
from xgen_deploy.manifest.limit import limit
from xgen_deploy.manifest.yaml_text import yaml_text
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.kept_manifest import KeptManifest
from xgen_deploy.state.site import Site

ROOT = Path(__file__).parents[2]
CASES = sorted(
    (*(ROOT / "manifests").glob("*.yaml"), *(ROOT / "tests/manifest/cases/merging").glob("*.yaml"))
)


def _without_marks(config: InstanceConfig) -> InstanceConfig:
    return replace(config, marks={})


def _again(site: Site, folder: Path) -> Site:
    """As its first host gives it back, which is reached as it was."""
    first = next(iter(site.hosts))
    kept = KeptManifest(apply=1, host=first, manifest=as_applied(site))
    reached = replace(site.hosts[first], address=None, user=None)
    (folder / "kept.yaml").write_text(yaml_text(manifest_from(kept, reached)))
    return load_site(str(folder / "kept.yaml"))


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.stem)
def test_its_instances_are_the_same(file: Path, tmp_path: Path) -> None:
    site = load_site(str(file))
    again = _again(site, tmp_path)
    by_name = {(c.host, c.name): _without_marks(c) for c in again.declared}
    assert by_name == {(c.host, c.name): _without_marks(c) for c in site.declared}
    assert again.gateway == site.gateway
    assert (again.notify, again.audit, again.runtime) == (None, None, site.runtime)
    assert list(again.hosts) == list(site.hosts)


FULL = """
project: p
inventory:
  all:
    hosts:
      a:
        {ansible_host: 192.0.2.1, ansible_user: kim, xgen_ports: 8101-8109, xgen_reserved_gpus: [3]}
      b: {xgen_model_dir: /data, xgen_reserved_mb: {0: 500}, xgen_images: {llama: "x:1"}}
runtime: systemd
ports: 8001-8009
pull: never
binaries: {llama: /opt/llama, vllm: /opt/vllm}
defaults: {n_ctx: 4096, n_gpu_layers: 20, update: {timeout: 10m, drain: 90}}
notify: {webhook: {env: HOOK}}
audit: {file: audit.jsonl, syslog: true}
gateway:
  {hosts: [a, b], port: 8080, queue_timeout: 30s, api_key: {file: door},
   cors: ["https://app.example.net"], max_body: 8M,
   clients: {team-a: {env: KEY_A, models: [m], rate: 60/m}, team-b: {file: b}}}
models:
  m:
    source: {gguf: /m.gguf, hf: org/name}
    revision: "1234e56"
    api_key: {command: "op read x"}
    env: {A: "no", B: {env: SECRET}, C: "0o10"}
    llama: {tensor_split: [3, 1], extra_args: ["--x", "a: b # c", "\\u00e9"]}
    sampling: {temperature: 0.5}
    fallback: [e]
  e: {source: /e.gguf}
hosts:
  a:
    - {model: m, gpus: [0, "0000:41:00.0"], llama: {tensor_split: [1, 1]}}
    - {model: e, gpus: [], name: e-cpu, port: 8105}
  b:
    - {model: m, gpus: [[0, 1], [2, 3]], n_gpu_layers: 33}
    - {model: e, gpus: all}
"""


@pytest.fixture
def full(tmp_path: Path) -> Site:
    (tmp_path / "full.yaml").write_text(FULL)
    return load_site(str(tmp_path / "full.yaml"))


def test_whatever_was_stated_is_kept(full: Site, tmp_path: Path) -> None:
    again = _again(full, tmp_path)
    assert list(map(_without_marks, again.declared)) == list(map(_without_marks, full.declared))
    assert again.gateway == full.gateway
    assert (again.pull, again.images) == (full.pull, full.images)


def test_files_of_the_machine_that_applied_stay_there(tmp_path: Path) -> None:
    accept = "{file: a.json, prompts: [{prompt: Hi, expect: Hello}]}"
    (tmp_path / "a.json").write_text('{"models": {}}')
    (tmp_path / "site.yaml").write_text(
        f"project: p\nmodels: {{m: {{source: /m.gguf, accept: {accept}}}}}\n"
        "hosts: {h: [{model: m}]}\n"
    )
    site = load_site(str(tmp_path / "site.yaml"))
    (own,) = _again(site, tmp_path).declared
    assert own.accept is not None
    assert own.accept.file is None
    assert [p.prompt for p in own.accept.prompts] == ["Hi"]


def test_how_hosts_are_reached_is_not_kept(full: Site, tmp_path: Path) -> None:
    again = _again(full, tmp_path)
    assert "192.0.2.1" not in (tmp_path / "kept.yaml").read_text()
    assert again.hosts["a"].reserved_gpus == (3,)
    assert again.hosts["b"].model_dir == "/data"
    assert again.hosts["b"].hf_home == full.hosts["b"].hf_home


def test_what_a_limit_cut_off_is_kept_too(full: Site, tmp_path: Path) -> None:
    again = _again(limit(full, ("a",)), tmp_path)
    assert {(c.host, c.name) for c in again.declared} == {(c.host, c.name) for c in full.declared}


def test_what_instances_share_is_said_once(full: Site) -> None:
    models = as_applied(full)["models"]
    assert isinstance(models, dict)
    assert models["m"]["revision"] == "1234e56"
    assert "llama" not in models["m"], "it differs"
