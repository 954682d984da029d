"""Invented fleets, and what the plan chooses there: as somebody who knows the field would."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.call import Capsys, call
from tests.fit.checkpoints import LLAMA_70B
from tests.fit.header_file import write_header
from tests.fit.measured import model
from tests.fit.published import PUBLISHED

PLANS = Path(__file__).parent / "plans"
AWQ_70B = {
    **LLAMA_70B,
    "torch_dtype": "float16",
    "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128},
}


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.yaml")), ids=lambda p: p.stem)
def test_an_invented_fleet_is_used_as_an_expert_would(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    case = yaml.safe_load(path.read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    models = {}
    for stated in case["manifest"]["models"].values():
        source = stated["source"]
        name = source.removeprefix("/m/").removesuffix(".gguf")
        if not source.endswith(".gguf"):
            Path("config.json").write_text(json.dumps(AWQ_70B))
            models[source] = "config.json"
            continue
        shape = PUBLISHED[name].shape() if name in PUBLISHED else model(name)
        models[source] = write_header(Path(f"{name}.gguf"), shape).name
    fleet = {"hosts": {"h": {**case["fleet"], "models": models}}}
    Path("fleet.yaml").write_text(yaml.safe_dump(fleet))
    manifest = {"inventory": {"all": {"hosts": {"h": {}}}}, **case["manifest"]}
    Path("site.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    _, shown = call(capsys, "plan", "site.yaml", "--fleet", "fleet.yaml")
    chosen = shown.partition("\n\n")[2].partition("\n\n")[0] + "\n"
    assert chosen == path.with_suffix(".txt").read_text()
