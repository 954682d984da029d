import json
from pathlib import Path
from typing import Any

import pytest

from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote.gpu_amd_sysfs import amd_by_sysfs
from xgen_deploy.probe.remote.gpu_completion import completed
from xgen_deploy.probe.remote.gpu_found import NotHere
from xgen_deploy.state.gpu import GPUInfo

CASES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("sysfs_cases.json").read_text()
)


def tree(root: Path, case: dict[str, Any]) -> str:
    for name, content in case["files"].items():
        write(root / name, f"{content}\n".encode())
    return str(root)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "gpus" in case])
def test_cards_are_read(tmp_path: Path, name: str) -> None:
    found = amd_by_sysfs(tree(tmp_path, CASES[name]))
    gpus = [GPUInfo.model_validate(completed(gpu, "amd", str(tmp_path))) for gpu in found.gpus]
    assert gpus == [GPUInfo.model_validate(gpu) for gpu in CASES[name]["gpus"]]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "error" in case])
def test_no_card_has_a_reason(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotHere, match=CASES[name]["error"]):
        amd_by_sysfs(tree(tmp_path, CASES[name]))
