import json
from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.probe.remote.commands import Answer
from xgen_deploy.probe.remote.gpu_nvidia_smi import read_smi
from xgen_deploy.state.gpu import GPUInfo

CASES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("smi_cases.json").read_text()
)


def smi(case: dict[str, Any], query: str) -> Answer:
    code, out = case["answers"].get(query, (1, "no such query"))
    return Answer(code, out, "", None)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "gpus" in case])
def test_cards_are_read(name: str) -> None:
    case = CASES[name]
    found = read_smi(lambda query: smi(case, query))
    gpus = [GPUInfo.model_validate(gpu) for gpu in found.gpus]
    assert gpus == [GPUInfo.model_validate(gpu) for gpu in case["gpus"]]
    assert [which for which, _ in found.lost] == case.get("lost", [])


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "error" in case])
def test_a_refusal_is_passed_on(name: str) -> None:
    case = CASES[name]
    with pytest.raises(RuntimeError, match=case["error"]):
        read_smi(lambda query: smi(case, query))
