"""`plan -v` and `plan --json` tell what an instance will take of memory."""

import json
from pathlib import Path

import pytest

from tests.cli.call import Capsys, call
from tests.lab import tiny_model

MANIFEST = """\
project: p
images: {llama: llama:1}
models:
  q: {source: /m/q.gguf, n_ctx: 512}
hosts:
  gpu-a: [{model: q}]
"""
FLEET = """\
hosts:
  gpu-a:
    cards: [L4]
    models: {/m/q.gguf: tiny.gguf}
"""


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny_model.write(tmp_path / "tiny.gguf")
    (tmp_path / "site.yaml").write_text(MANIFEST)
    (tmp_path / "fleet.yaml").write_text(FLEET)


def test_each_gpu_and_the_host_have_a_line(capsys: Capsys) -> None:
    _, shown = call(capsys, "plan", "site.yaml", "--fleet", "fleet.yaml", "-v")
    assert "of GPU 0, 22.5 GiB are free" in shown
    assert "of the host's memory" in shown
    _, shown = call(capsys, "plan", "site.yaml", "--fleet", "fleet.yaml")
    assert "of GPU 0" not in shown


def test_a_program_gets_the_parts(capsys: Capsys) -> None:
    _, document = call(capsys, "plan", "site.yaml", "--fleet", "fleet.yaml", "--json")
    hosts = json.loads(document)["hosts"]
    told = hosts["gpu-a"]["operations"][0]["forecast"]
    gpu, host = told["needs"]
    assert (told["exact"], told["notes"]) == (True, [])
    assert gpu["total_mib"] == pytest.approx(
        gpu["weights_mib"] + gpu["cache_mib"] + gpu["compute_mib"], abs=0.02
    )
    assert gpu["cache_mib"] > 0
    assert (host["gpu"], host["cache_mib"]) == (None, 0)
