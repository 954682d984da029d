"""`config MANIFEST`: one manifest that says the same, each value with where it comes from."""

import json
from pathlib import Path

import pytest
import yaml

from tests.site_file import load_site
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.main import run
from xgen_deploy.manifest import load

BASE = """\
runtime: systemd
binaries: {llama: /opt/llama-server}
defaults: {n_ctx: 8192, llama: {threads: 4, parallel: 2}}
models:
  q: {source: /m/q.gguf, api_key: {env: KEY}}
  r: {source: "${source}"}
"""
SITE = """\
extends: base.yaml
project: p
inventory: inventory.yaml
models:
  q: {llama: {threads: null}}
hosts:
  gpu:
    - {model: q, gpus: [0, 1], n_ctx: "${ctx}"}
    - model: r
      name: other
      llama: {extra_args: [--label, "$${ctx}", "a: #b"]}
gateway: {host: a, port: "${gate}"}
"""
INVENTORY = """\
all:
  vars: {ansible_user: kim, unused: 1}
  children:
    gpu:
      vars: {xgen_vars: {ctx: 4096, source: /m/r.gguf}}
      hosts: {a: {ansible_host: 192.0.2.1}, b: {xgen_vars: {ctx: 1024}}}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("base", BASE), ("site", SITE), ("inventory", INVENTORY)):
        (tmp_path / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _config(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as ending:
        run(["config", *words])
    out, err = capsys.readouterr()
    assert ending.value.code == 0, err
    return out


def test_every_value_has_the_line_that_it_comes_from(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _config(capsys, "site.yaml", "-e", "gate=9000").splitlines()
    told = {line.partition("  #")[0].rstrip(): line.partition("  # ")[2] for line in lines}
    assert told["runtime: systemd"] == "base.yaml:1"
    assert told["  port: 9000"] == "site.yaml:12 ${gate}, -e gate"
    assert told['        ansible_host: "192.0.2.1"'] == "inventory.yaml:6"
    assert told["        ansible_user: kim"] == "inventory.yaml:2"
    assert told["      n_ctx: 1024"] == "site.yaml:8 ${ctx}, inventory.yaml:6"
    assert told["      n_ctx: 4096"] == "site.yaml:8 ${ctx}, inventory.yaml:5"
    assert told["      source: /m/r.gguf"] == "base.yaml:6 ${source}, inventory.yaml:5"
    assert told["        env: KEY"] == "base.yaml:5"
    assert told["          ctx: 1024"] == "inventory.yaml:6"
    assert not any("unused" in line or "null" in line for line in lines)


def test_it_is_a_manifest_that_says_the_same(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("gate=9000", "source=/m/r.gguf")
    merged = site / "merged.yaml"
    merged.write_text(_config(capsys, "site.yaml", *(w for v in given for w in ("-e", v))))
    before = load.load_site("site.yaml", engine_words(), variables=given)
    after = load_site(str(merged))
    assert [d.model_dump(exclude={"marks"}) for d in after.declared] == [
        {**d.model_dump(exclude={"marks"}), "layers_here": d.layers_here} for d in before.declared
    ]
    assert after.gateway == before.gateway
    assert [h.address for h in after.hosts.values()] == ["192.0.2.1", None]


def test_a_program_gets_the_places_too(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(_config(capsys, "site.yaml", "-e", "gate=9000", "--limit", "b", "--json"))
    assert document["project"] == "p"
    assert [p["n_ctx"] for p in document["manifest"]["hosts"]["b"]] == [1024, 8192]
    assert list(document["manifest"]["hosts"]) == ["b"]
    assert document["places"]["hosts.b.0.n_ctx"] == "site.yaml:8 ${ctx}, inventory.yaml:6"
    assert document["places"]["hosts.b.0.gpus"] == "site.yaml:8"


def test_what_is_wrong_is_told_as_by_validate(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ending:
        run(["config", "site.yaml"])
    assert ending.value.code == 1
    assert "site.yaml:12:26: no variable `gate`" in capsys.readouterr().err


def test_no_value_is_read_as_something_else(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = _config(capsys, "site.yaml", "-e", "gate=9000")
    (other, *_) = (p for p in yaml.safe_load(text)["hosts"]["a"] if p.get("name") == "other")
    assert other["llama"]["extra_args"] == ["--label", "$${ctx}", "a: #b"]
