"""The names that people paste for a card."""

import pytest

from xgen_deploy.resolve.gpus import pick_gpus, reserved_nothing, unreserved
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig

CARDS = tuple(
    GPUInfo(index=i, gpu_type=GPUType.NVIDIA, uuid=f"GPU-{i}", pci_bus_id=f"0000:c{i}:00.0")
    for i in range(2)
)
# The kernel's form, and those of nvidia-smi, nvidia-smi -q, lspci.
OF_THE_SECOND = ("0000:c1:00.0", "00000000:C1:00.0", "0000:C1:00.0", "c1:00.0", "gpu-1")


@pytest.mark.parametrize("name", OF_THE_SECOND)
def test_a_card_by_its_address(name: str) -> None:
    config = InstanceConfig(host="h", name="q", model="q", source="/m", ports=(1, 9), gpus=(name,))
    assert pick_gpus(config, Host(name="h"), CARDS, {}).gpus == CARDS[1:]


@pytest.mark.parametrize("name", OF_THE_SECOND)
def test_a_card_reserved_by_its_address(name: str) -> None:
    host = Host(name="h", reserved_gpus=(name,))
    assert unreserved(CARDS, CARDS, host) == CARDS[:1]
    assert reserved_nothing(host, CARDS) == ()


def test_what_reserves_no_card_is_told() -> None:
    said = reserved_nothing(Host(name="h", reserved_gpus=(1, 2, "GPU-x")), CARDS)
    assert [text.partition(",")[0] for text in said] == [
        "xgen_reserved_gpus names 2",
        "xgen_reserved_gpus names GPU-x",
    ]
