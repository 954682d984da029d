"""Lines as llama-server prints them at `-lv 4`, with and without a GPU behind them."""

from pathlib import Path

from xgen_deploy.backends.llama_log import read_report
from xgen_deploy.state.load_report import LoadReport

# Of the real engine, with a software Vulkan device: lines that no report is read from are left out.
LOGS = Path(__file__).parent / "logs"

WITH = """\
0.00.761 I llama_prepare_model_devices: using device Vulkan0 (llvmpipe (LLVM 15.0.6, 256 bits)) (unknown id) - 2048 MiB free
0.01.022 I load_tensors: offloaded 5/19 layers to GPU
0.01.022 I load_tensors:   CPU_Mapped model buffer size =   220.30 MiB
0.01.022 I load_tensors:      Vulkan0 model buffer size =    14.86 MiB
0.01.113 I llama_kv_cache:    Vulkan0 KV buffer size =     8.00 MiB
0.01.188 I llama_kv_cache:    Vulkan0 KV buffer size =     3.00 MiB
0.01.192 I sched_reserve:    Vulkan0 compute buffer size =    27.93 MiB
"""  # noqa: E501
WITHOUT = """\
0.01.022 I load_tensors: offloaded 19/19 layers to GPU
0.01.022 I load_tensors:   CPU_Mapped model buffer size =   235.16 MiB
"""


def _read(log: str) -> LoadReport:
    report = read_report(log)
    assert report is not None
    return report


def test_a_device_in_use_and_what_lies_on_it() -> None:
    report = _read(WITH)
    assert (report.offloaded, report.total_layers) == (5, 19)
    (device,) = report.devices
    assert (device.name, device.pci_bus_id) == ("Vulkan0", None)
    assert (device.model_mib, device.kv_mib, device.compute_mib) == (14.86, 11.0, 27.93)
    assert report.host_mib == {"CPU_Mapped": 220.30}


def test_layers_are_not_believed_where_no_device_was_used() -> None:
    report = _read(WITHOUT)
    assert (report.devices, report.offloaded, report.total_layers) == ((), 0, 19)


def test_a_card_is_known_by_its_address() -> None:
    text = WITH.replace("unknown id", "0000:C4:00.0")
    assert _read(text).devices[0].pci_bus_id == "0000:c4:00.0"


def test_a_draft_model_is_a_load_of_its_own() -> None:
    report = _read((LOGS / "draft_lora_projector.log").read_text())
    assert (report.offloaded, report.total_layers) == (12, 12)
    (device,) = report.devices
    assert (device.name, device.model_mib, device.kv_mib) == ("Vulkan0", 1.88, 1.38)
    assert device.compute_mib == 3.51  # reserved twice, the second time after the warm-up
    draft = report.draft
    assert draft is not None
    assert (draft.offloaded, draft.total_layers, draft.used) == (5, 12, True)
    (device,) = draft.devices
    assert (device.model_mib, device.kv_mib, device.compute_mib) == (0.78, 0.5, 3.89)
    assert (report.context, report.slots, report.warnings) == (512, 4, ())


def test_a_draft_model_that_the_engine_only_loads() -> None:
    report = _read((LOGS / "draft_loaded_alone.log").read_text())
    assert (report.offloaded, report.total_layers) == (19, 19)
    assert [d.model_mib for d in report.devices] == [65.16]
    assert report.draft is not None
    assert (report.draft.offloaded, report.draft.used) == (5, False)
    assert "no implementations specified" in report.warnings[0]
