"""What the vendors' tools print is read in every form that they print it in."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from xgen_deploy.frozen import Frozen
from xgen_deploy.probe.remote.commands import Answer
from xgen_deploy.probe.remote.gpu_amd_smi import read_amd_smi
from xgen_deploy.probe.remote.gpu_apple import read_profiler
from xgen_deploy.probe.remote.gpu_completion import completed
from xgen_deploy.probe.remote.gpu_found import Found
from xgen_deploy.probe.remote.gpu_rocm_smi import read_rocm_smi
from xgen_deploy.probe.remote.gpu_vulkan import read_summary
from xgen_deploy.state.gpu import GPUInfo


class Case(Frozen):
    """`static` and `metric` are amd-smi's two answers; `error` is what a failure says."""

    tool: str
    about: str
    shape: str
    output: str = ""
    static: str = ""
    metric: str = ""
    gpus: tuple[GPUInfo, ...] = ()
    error: str = ""


CASES = [
    Case.model_validate(case)
    for case in yaml.safe_load(Path(__file__).with_name("tools.yaml").read_text())
]


def read(case: Case) -> Found:
    told = {"static": case.static, "metric": case.metric}
    amd_smi = {word: Answer(0, output, "", None) for word, output in told.items()}
    readers: dict[str, Callable[[], Found]] = {
        "amd-smi": lambda: read_amd_smi(lambda *words: amd_smi[words[0]]),
        "rocm-smi": lambda: read_rocm_smi(case.output),
        "vulkaninfo": lambda: read_summary(case.output, "/nowhere"),
        "system_profiler": lambda: read_profiler(case.output),
    }
    return readers[case.tool]()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.tool}: {case.about}")
def test_an_answer_is_read(case: Case) -> None:
    if case.error:
        with pytest.raises(Exception, match=case.error):
            read(case)
        return
    vendor = "amd" if case.tool in ("amd-smi", "rocm-smi") else "other"
    found = [completed(gpu, vendor, "/nowhere") for gpu in read(case).gpus]
    assert tuple(GPUInfo.model_validate(gpu) for gpu in found) == case.gpus
