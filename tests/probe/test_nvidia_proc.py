"""NVIDIA's driver tells something without any library. The files' form is from reports of
drivers 535 to 580; the values are made up. H100 is what one had, but for its UUID."""

from pathlib import Path

import pytest

from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote import gpu_tools
from xgen_deploy.probe.remote.gpu_found import NotHere
from xgen_deploy.probe.remote.gpu_hardware import expected
from xgen_deploy.probe.remote.gpu_nvidia_proc import nvidia_by_proc
from xgen_deploy.probe.remote.pci import pci_vendors

VERSIONS = {
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024":
        "535.183.01",
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build  (root)":
        "580.65.06",
    "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.95.05  Release Build":
        "580.95.05",
    "GCC version:  gcc version 12.3.0": None,
}  # fmt: skip
CARD = """Model: 		 NVIDIA GeForce RTX 4090
IRQ:   		 183
GPU UUID: 	 {uuid}
Bus Type: 	 PCIe
Bus Location: 	 0000:C1:00.0
"""
H100_DRIVER = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build  (builder)
GCC version:  gcc version 15.3.0 (GCC)
"""
H100 = """Model: 		 NVIDIA H100 80GB HBM3
IRQ:   		 41
GPU UUID: 	 {uuid}
Video BIOS: 	 96.00.99.00.0d
Bus Type: 	 PCIe
DMA Size: 	 52 bits
DMA Mask: 	 0xfffffffffffff
Bus Location: 	 0000:00:06.0
Device Minor: 	 0
GPU Firmware: 	 580.159.04
GPU Excluded:	 No
"""
UUID = "GPU-11112222-3333-4444-5555-666677778888"


@pytest.mark.parametrize("text", VERSIONS)
def test_the_driver_is_known(tmp_path: Path, text: str) -> None:
    write(tmp_path / "proc/driver/nvidia/version", text.encode())
    write(
        tmp_path / "proc/driver/nvidia/gpus/0000:c1:00.0/information",
        CARD.format(uuid=UUID).encode(),
    )
    (gpu,) = nvidia_by_proc(str(tmp_path)).gpus
    assert gpu["driver_version"] == VERSIONS[text]
    assert (gpu["uuid"], gpu["pci_bus_id"]) == (UUID, "0000:c1:00.0")
    assert gpu["device_name"] == "NVIDIA GeForce RTX 4090"


def test_a_real_h100_is_read(tmp_path: Path) -> None:
    write(tmp_path / "proc/driver/nvidia/version", H100_DRIVER.encode())
    own = tmp_path / "proc/driver/nvidia/gpus/0000:00:06.0/information"
    write(own, H100.format(uuid=UUID).encode())
    (gpu,) = nvidia_by_proc(str(tmp_path)).gpus
    assert gpu == {
        "index": 0,
        "gpu_type": "nvidia",
        "device_name": "NVIDIA H100 80GB HBM3",
        "uuid": UUID,
        "pci_bus_id": "0000:00:06.0",
        "driver_version": "580.159.04",
    }


def test_a_hidden_uuid_is_none(tmp_path: Path) -> None:
    write(tmp_path / "proc/driver/nvidia/version", b"")
    hidden = CARD.format(uuid="GPU-????????-????-????-????-????????????")
    write(tmp_path / "proc/driver/nvidia/gpus/0000:c1:00.0/information", hidden.encode())
    assert nvidia_by_proc(str(tmp_path)).gpus[0]["uuid"] is None


def test_cards_without_a_driver_are_named(tmp_path: Path) -> None:
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/vendor", b"0x10de\n")
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/class", b"0x030200\n")
    with pytest.raises(NotHere, match=r"not loaded, although there are cards: 0000:c1:00\.0"):
        nvidia_by_proc(str(tmp_path))


@pytest.mark.parametrize(
    ("vendor", "device", "there"),
    [("0x1002", "0x120000", True), ("0x1002", "0x030000", True), ("0x1022", "0x118000", False)],
)
def test_which_cards_are_gpus(tmp_path: Path, vendor: str, device: str, there: bool) -> None:
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/vendor", f"{vendor}\n".encode())
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/class", f"{device}\n".encode())
    assert expected("amd", f"{tmp_path}/") is there


@pytest.mark.parametrize(
    ("vendor", "found", "asked"),
    [
        ("0x8086", ("nvidia",), True),
        ("0x1a03", ("nvidia",), False),
        ("0x10de", ("nvidia",), False),
        ("0x10de", ("amd",), True),
    ],
)
def test_a_card_of_a_further_vendor_is_looked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str,
    found: tuple[str, ...],
    asked: bool,
) -> None:
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/vendor", f"{vendor}\n".encode())
    write(tmp_path / "sys/bus/pci/devices/0000:c1:00.0/class", b"0x030000\n")
    monkeypatch.setattr(gpu_tools, "pci_vendors", lambda: pci_vendors(str(tmp_path)))
    assert (gpu_tools.no_stranger(found) is None) is asked
