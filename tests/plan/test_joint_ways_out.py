"""What is offered to several instances that are refused together holds for all of them at once."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plan.memory_fleet import MemoryFleet, source

# `gpus` are their sizes in GiB; each model is refused.
CASES = yaml.safe_load("""
- case: two of a kind of need
  gpus: [8]
  place: [{model: mistral-7b, n_ctx: 32768}, {model: gemma3-12b, n_ctx: 16384}]
- case: a large one and a small one
  gpus: [16]
  place: [{model: qwen3-30b-a3b, n_ctx: 8192}, {model: gemma3-12b, n_ctx: 131072}]
- case: another GPU has room for one
  gpus: [8, 16]
  place:
    - {model: mistral-7b, n_ctx: 16384, gpus: [0]}
    - {model: qwen25-7b, n_ctx: 32768, gpus: [0]}
- case: another GPU has others that are refused
  gpus: [8, 10]
  place:
    - {model: mistral-7b, n_ctx: 12288, gpus: [0]}
    - {model: gemma3-12b, n_ctx: 131072, gpus: [1]}
- case: replicas
  gpus: [8]
  place: [{model: mistral-7b, n_ctx: 16384}, {model: mistral-7b, n_ctx: 16384, name: second}]
""")


def _plan(case: dict[str, Any], folder: Path, place: list[dict[str, Any]]) -> Any:
    fleet = MemoryFleet(folder, case["gpus"], binaries={"llama": "/opt/llama-server"})
    models = {p["model"]: {"source": source(p["model"])} for p in place}
    return fleet.plan({"h": place}, models=models).hosts["h"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["case"])
def test_any_of_one_with_any_of_the_others(case: dict[str, Any], tmp_path: Path) -> None:
    refused = _plan(case, tmp_path, case["place"]).refusals
    offered = [[line.strip() for line in r.hint.splitlines()[1:]] for r in refused]
    assert len(refused) == 2
    assert all(offered)
    for lines in product(*offered):
        place = [
            {**stated, **yaml.safe_load("{" + line + "}")}
            for stated, line in zip(case["place"], lines, strict=True)
        ]
        host = _plan(case, tmp_path, place)
        assert host.refusals == (), lines
        assert not [w for w in host.warnings if "iB" in w], lines
