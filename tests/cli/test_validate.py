"""What `validate` tells of a manifest, without a host."""

import json
from pathlib import Path

import pytest

from xgen_deploy.cli.main import run

MANIFEST = """\
project: p
inventory: {all: {hosts: {a: , b: , c: {xgen_images: {cpu: image:1}}}}}
models:
  q: {source: /m/q.gguf}
gateway: {host: a, listen: 0.0.0.0}
hosts:
  a: [{model: q, backend: llama-server-cpu}]
  b: [{model: q, image: image:1, listen: 127.0.0.1}]
  c: [{model: q}]
"""


def test_what_the_plan_will_say_whatever_the_hosts_have_is_said_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(MANIFEST)
    with pytest.raises(SystemExit) as ending:
        run(["validate", str(path), "--json"])
    assert ending.value.code == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == [
        f"{path}:7:7: `images` of the manifest and `xgen_images` of a name nothing that could "
        "serve q (llama-server-cpu)",
        f"{path}:8:34: q on b listens on 127.0.0.1, where the gateway on a cannot reach it",
    ]
