"""What each device has of memory, and who holds it."""

from typing import Any

import pytest

from xgen_deploy.frozen import replace
from xgen_deploy.resolve.room import Holder, Room, reserved_for_nothing, rooms
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gpu import GPUDetectionResult, GPUInfo, GPUType, MIGInstance
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.load_report import DeviceReport, LoadReport
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.stopped import Stopped

GIB = 1 << 30
LAYOUT = system_layout("p")
CARD = GPUInfo(
    index=0,
    gpu_type=GPUType.NVIDIA,
    uuid="GPU-a",
    memory_total_mb=24576,
    memory_free_mb=14336,
    memory_used_mb=10240,
)
FOREIGN = {"pid": 8812, "name": "python", "user": "lena", "cgroup": "/user.slice"}
OWN = {"pid": 7, "cgroup": "/system.slice/xgen-p-q.service"}


def _facts(gpu: GPUInfo, **more: Any) -> HostFacts:
    return HostFacts.model_validate(
        {
            "probe": "python", "hostname": "h", "arch": "x86_64", "kernel": "", "user": "root",
            "uid": 0, "now": 0.0, "cores": 8, "memory_total_mb": 64 << 10,
            "memory_available_mb": 60 << 10, "gpu": GPUDetectionResult(gpus=(gpu,)), **more,
        }
    )  # fmt: skip


def _record(*gpus: str, stopped: bool = False, devices: int = 1) -> Record:
    spec = Spec(
        model="q", backend="llama-server-cuda", runtime="systemd", source="/q.gguf",
        model_path="/q.gguf", n_ctx=4096, port=8001, gpus=gpus or ("GPU-a",),
    )  # fmt: skip
    told = tuple(
        DeviceReport(name=f"CUDA{i}", model_mib=4000 + i, kv_mib=500, compute_mib=300)
        for i in range(devices)
    )
    last = InstanceRecord(
        spec=spec,
        digest=spec.digest,
        report=LoadReport(devices=told),
        stopped=Stopped(by="ops", at=0.0) if stopped else None,
    )
    return Record(project="p", instances={"q": last})


def _room(
    gpu: GPUInfo, record: Record | None = None, host: Host | None = None, **facts: Any
) -> Room:
    known = record or Record(project="p")
    seen = rooms(_facts(gpu, **facts), known, LAYOUT, host or Host(name="h"))
    return seen.of(gpu.devices[0])


def _used_by(*processes: dict[str, Any]) -> GPUInfo:
    return GPUInfo.model_validate({**dict(CARD), "processes": processes})


def test_foreign_processes_are_told_and_count_as_others() -> None:
    room = _room(_used_by({**FOREIGN, "memory_mb": 9216}))
    assert room.foreign == (Holder(pid=8812, name="python", user="lena", bytes=9 * GIB),)
    assert (room.total, room.free, room.others) == (24 * GIB, 14 * GIB, 10 * GIB)
    assert room.available() == 14 * GIB
    assert room.largest == 24 * GIB


def test_an_instance_holds_what_its_processes_hold() -> None:
    gpu = _used_by({**FOREIGN, "memory_mb": 4096}, {**OWN, "memory_mb": 6144})
    room = _room(gpu, _record())
    assert (dict(room.ours), room.others) == ({"q": 6 * GIB}, 4 * GIB)
    assert room.available() == 14 * GIB
    assert room.available(frozenset({"q"})) == 20 * GIB


def test_else_what_its_engine_reported() -> None:
    for processes in ((), ({**OWN, "memory_mb": None},)):
        room = _room(_used_by(*processes), _record())
        assert dict(room.ours) == {"q": 4800 << 20}
    two = _record("GPU-b", "GPU-a", devices=2)
    assert dict(_room(CARD, two).ours) == {"q": 4801 << 20}
    assert dict(_room(CARD, _record("GPU-b")).ours) == {}
    assert dict(_room(CARD, _record(stopped=True)).ours) == {}
    assert dict(_room(replace(CARD, memory_free_mb=24476), _record()).ours) == {"q": 100 << 20}


def test_what_is_begun_or_taken_over_is_its_instance_s() -> None:
    begun = Record(project="p", pending={"q": "d"})
    gpu = _used_by({**OWN, "memory_mb": 6144})
    assert dict(_room(gpu, begun).ours) == {"q": 6 * GIB}
    by_hand = _used_by({**OWN, "cgroup": "/system.slice/llama.service", "memory_mb": 6144})
    seen = rooms(
        _facts(by_hand),
        Record(project="p"),
        LAYOUT,
        Host(name="h"),
        adopted={"q": "/system.slice/llama.service"},
    )
    assert dict(seen.of(by_hand).ours) == {"q": 6 * GIB}
    assert seen.of(by_hand).foreign == ()


def test_unknown_is_not_nothing() -> None:
    room = _room(replace(CARD, memory_free_mb=None))
    assert (room.total, room.free, room.others, room.available()) == (24 * GIB, None, None, None)
    assert _room(replace(CARD, memory_total_mb=None)).largest is None


@pytest.mark.parametrize("stated", [2048, {0: 2048}, {"gpu-a": 2048}])
def test_what_is_reserved_is_not_planned(stated: Any) -> None:
    room = _room(CARD, host=Host(name="h", reserved_mb=stated))
    assert (room.reserved, room.largest, room.available()) == (2 * GIB, 22 * GIB, 12 * GIB)


def test_what_reserves_nothing_is_told() -> None:
    host = Host(name="h", reserved_mb={0: 1, 1: 1})
    assert reserved_for_nothing(host, (CARD,)) == (
        "xgen_reserved_mb names 1, and no GPU there is that: nothing is reserved by it",
    )
    assert reserved_for_nothing(Host(name="h", reserved_mb=5), (CARD,)) == ()


def test_a_part_of_a_card_has_its_own() -> None:
    part = MIGInstance(uuid="MIG-1", memory_total_mb=10240, memory_free_mb=10000)
    card = replace(CARD, mig=("MIG-1",), mig_enabled=True, mig_instances=(part,))
    assert _room(card).total == 10 * GIB


STRIX = GPUInfo(
    index=0,
    gpu_type=GPUType.AMD_RDNA,
    device_name="Radeon 8060S",
    pci_bus_id="0000:c4:00.0",
    apu=True,
    memory_total_mb=512,
    memory_free_mb=256,
    gtt_total_mb=120 << 10,
    gtt_used_mb=0,
)


def test_an_apu_has_its_carve_out_and_what_it_may_map() -> None:
    ram: dict[str, Any] = {"memory_total_mb": 124 << 10, "memory_available_mb": 119 << 10}
    room = _room(STRIX, **ram)
    assert (room.total, room.free) == (120 * GIB + (512 << 20), 119 * GIB + (256 << 20))
    assert room.reserved == (124 << 30) // 10 - 4 * GIB
    assert room.others == 0  # the 1.2 GiB that are in use are of what is left to the host
    stated = _room(STRIX, host=Host(name="h", reserved_mb=1024), **ram)
    assert (stated.reserved, stated.others) == (GIB, 256 << 20)
    busy = _room(STRIX, memory_total_mb=124 << 10, memory_available_mb=20 << 10)
    assert busy.available() == 20 * GIB + (256 << 20)


def test_a_large_carve_out_leaves_the_host_its_ram() -> None:
    carved = replace(
        STRIX, memory_total_mb=96 << 10, memory_free_mb=96 << 10, gtt_total_mb=15 << 10
    )
    room = _room(carved, memory_total_mb=31 << 10, memory_available_mb=28 << 10)
    assert (room.total, room.free, room.reserved) == (111 * GIB, 111 * GIB, 0)
    alone = replace(carved, gtt_total_mb=None)
    assert (_room(alone).total, _room(alone).of_the_host) == (96 * GIB, False)


@pytest.mark.parametrize(
    "gpu",
    [
        GPUInfo(index=0, gpu_type=GPUType.NVIDIA, uuid="GPU-a", device_name="NVIDIA GB10"),
        GPUInfo(index=0, gpu_type=GPUType.APPLE_MPS, apu=True, memory_total_mb=96 << 10),
    ],
)
def test_one_without_memory_of_its_own_has_the_host_s(gpu: GPUInfo) -> None:
    room = _room(gpu)
    assert (room.total, room.free, room.reserved) == (64 * GIB, 60 * GIB, (64 << 30) // 10)
    assert room.available() == 64 * GIB - (64 << 30) // 10


def test_a_software_device_is_the_host_s_ram() -> None:
    room = _room(replace(CARD, software=True, memory_total_mb=None, memory_free_mb=None))
    assert (room.total, room.available(), room.reserved) == (64 * GIB, 60 * GIB, 0)


def test_the_host_s_ram() -> None:
    seen = rooms(_facts(CARD), Record(project="p"), LAYOUT, Host(name="h"))
    assert (seen.host.total, seen.host.free) == (64 * GIB, 60 * GIB)


def test_what_the_driver_keeps_for_itself_is_nobody_s() -> None:
    """As NVML told it of an H100 without any process, where CUDA tells 81079 MiB in all."""
    h100 = replace(CARD, memory_total_mb=81559, memory_used_mb=0, memory_free_mb=81079)
    room = _room(h100)
    assert (room.total, room.others) == (81079 << 20, 0)
    older = replace(h100, memory_used_mb=480)  # a driver that counts it as used
    assert (_room(older).total, _room(older).others) == (81559 << 20, 480 << 20)
