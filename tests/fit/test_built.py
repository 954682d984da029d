"""Architectures whose published models are too large or too many: small ones of the same build, on
the CPU, held against what llama-server allocated.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.call import Capsys, call
from tests.fit.header_file import write_header
from tests.fit.measured import read
from xgen_deploy.fit.shape import ModelShape, Tensor

BUILT = read("built")


@pytest.mark.parametrize("case", BUILT["cases"], ids=lambda c: f"{c['name']}-{'-'.join(c['argv'])}")
def test_it_tells_what_the_engine_allocated(
    case: dict[str, Any], tmp_path: Path, capsys: Capsys
) -> None:
    stated = BUILT["models"][case["name"]]
    tensors = [Tensor(name, kind, tuple(dims)) for name, kind, dims in stated["tensors"]]
    shape = ModelShape(stated["architecture"], stated["keys"], tensors)
    file = write_header(tmp_path / "m.gguf", shape)
    options = ("--backend", "llama-server-cpu", "--engine-build", "10434", "--json")
    code, said = call(capsys, "fit", str(file), *options, "--", *case["argv"])
    assert code == 0, said
    told, measured = json.loads(said), case["host"]
    assert told["confidence"] == "exact"
    assert told["host"]["weights_mib"] == pytest.approx(measured["model_mib"], abs=0.01)
    assert told["host"]["kv_mib"] == pytest.approx(measured["kv_mib"], abs=0.01)
    assert told["host"]["compute_mib"] == pytest.approx(measured["compute_mib"], abs=0.03)
    assert told["host"]["output_mib"] == pytest.approx(measured["output_mib"], abs=0.01)
