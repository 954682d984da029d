"""A GPU that is gone, and the one that was named as its spare."""

from typing import Any

import pytest

from xgen_deploy.resolve.gpus import Picked, pick_gpus
from xgen_deploy.state.gpu import GPUInfo, GPUType
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import Refused


def cards(*names: str) -> tuple[GPUInfo, ...]:
    return tuple(GPUInfo(index=i, gpu_type=GPUType.NVIDIA, uuid=n) for i, n in enumerate(names))


def pick(found: tuple[GPUInfo, ...], recorded: dict[str, str], **declared: Any) -> Picked:
    one = InstanceConfig(host="h", name="q", model="q", source="/m", ports=(1, 9), **declared)
    return pick_gpus(one, Host(name="h"), found, recorded)


ALL = cards("a", "b", "c", "d")
WITHOUT_A = cards("b", "c", "d")


def test_a_spare_is_remembered_from_the_start_and_not_used() -> None:
    picked = pick(ALL, {}, gpus=(0,), spare_gpus=(3,))
    assert [g.uuid for g in picked.gpus] == ["a"]
    assert picked.pins == {"0": "a", "3": "d"}


def test_the_spare_takes_over_though_every_index_moved() -> None:
    picked = pick(WITHOUT_A, {"0": "a", "3": "d"}, gpus=(0,), spare_gpus=(3,))
    assert [g.uuid for g in picked.gpus] == ["d"]
    assert picked.pins == {"0": "a", "3": "d"}, "so that the next plan finds the same"
    assert picked.notes == ("GPU a is gone; spare GPU 2 is used instead",)


def test_a_card_named_by_its_uuid_has_a_spare_too() -> None:
    picked = pick(WITHOUT_A, {}, gpus=("a", "b"), spare_gpus=("b", "c"))
    assert [g.uuid for g in picked.gpus] == ["c", "b"]


def test_when_the_card_is_back_it_is_used_again() -> None:
    picked = pick(ALL, {"0": "a", "3": "d"}, gpus=(0,), spare_gpus=(3,))
    assert [g.uuid for g in picked.gpus] == ["a"]


@pytest.mark.parametrize("spares", [(), (7,)])
def test_without_a_spare_that_is_there_it_is_refused(spares: tuple[int, ...]) -> None:
    with pytest.raises(Refused, match="GPU 0 was a when this was last applied and is b now"):
        pick(WITHOUT_A, {"0": "a"}, gpus=(0,), spare_gpus=spares)
