import json
from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.probe.remote.commands import Answer
from xgen_deploy.probe.remote.gpu_nvidia_smi import read_smi
from xgen_deploy.probe.remote.mig import add_mig
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


# The form of drivers 535 to 580, shortened.
LISTED = """GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-7f57f032-34ab-a064-c37c-7a4f75601cc5)
  MIG 2g.20gb     Device  0: (UUID: MIG-377e0049-554c-540b-93c6-d0976f8426cb)
  MIG 1g.10gb+me  Device  1: (UUID: MIG-f39aa248-6f1b-5769-b119-8d650bb34b27)
GPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-8c7c9c30-f12f-20bf-e14e-d3c4c965af32)
GPU 2: NVIDIA H100 80GB HBM3 (UUID: GPU-9c7c9c30-f12f-20bf-e14e-d3c4c965af32)
"""
DETAILS = """<nvidia_smi_log>
  <gpu id="00000000:4E:00.0">
    <uuid>GPU-7f57f032-34ab-a064-c37c-7a4f75601cc5</uuid>
    <mig_devices>
      <mig_device><index>0</index><gpu_instance_id>3</gpu_instance_id>
        <fb_memory_usage><total>20096 MiB</total><reserved>0 MiB</reserved><used>25 MiB</used>
          <free>20071 MiB</free></fb_memory_usage>
        <bar1_memory_usage><total>32767 MiB</total><used>0 MiB</used></bar1_memory_usage>
      </mig_device>
      <mig_device><index>1</index><fb_memory_usage><total>N/A</total></fb_memory_usage></mig_device>
    </mig_devices>
    <fb_memory_usage><total>81559 MiB</total></fb_memory_usage>
  </gpu>
</nvidia_smi_log>
"""


def test_mig_instances_are_read() -> None:
    modes = "Enabled", "[N/A]", "Enabled"
    uuids = [line.split("UUID: ")[1][:-1] for line in LISTED.splitlines() if line[0] == "G"]
    gpus: list[dict[str, Any]] = [
        {"index": i, "gpu_type": "nvidia", "uuid": u} for i, u in enumerate(uuids)
    ]
    answers = {"-L": LISTED, "-q": DETAILS}
    csv = "".join(f"{uuid}, {mode}\n" for uuid, mode in zip(uuids, modes, strict=True))
    add_mig(gpus, lambda _: Answer(0, csv, "", None), lambda *o: Answer(0, answers[o[0]], "", None))
    parted, whole, empty = (GPUInfo.model_validate(gpu) for gpu in gpus)
    big, small = parted.devices
    assert (big.identity, big.card) == ("MIG-377e0049-554c-540b-93c6-d0976f8426cb", uuids[0])
    assert (big.memory_total_mb, big.memory_used_mb, big.memory_free_mb) == (20096, 25, 20071)
    assert (small.memory_total_mb, small.device_name) == (None, "nvidia MIG 1g.10gb+me")
    assert whole.devices == (whole,)
    assert (empty.mig_enabled, empty.devices) == (True, ())


def test_a_driver_of_before_mig_has_none() -> None:
    gpus: list[dict[str, Any]] = [{"index": 0, "gpu_type": "nvidia", "uuid": "GPU-a"}]
    complaint = 'Field "mig.mode.current" is not a valid field to query.'
    add_mig(gpus, lambda _: Answer(2, complaint, "", None), lambda *_: Answer(1, "", "", None))
    assert gpus == [{"index": 0, "gpu_type": "nvidia", "uuid": "GPU-a"}]
