"""MIG instances as devices of their own, from the manifest to what runs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite

PARTS = ("MIG-aaaaaaaa-0000-0000-0000-000000000001", "MIG-aaaaaaaa-0000-0000-0000-000000000002")
CARD: dict[str, Any] = {
    "gpu_type": "nvidia",
    "device_name": "NVIDIA H100 80GB HBM3",
    "uuid": "GPU-aaaaaaaa",
    "pci_bus_id": "0000:41:00.0",
    "memory_total_mb": 81559,
    "compute_capability": "9.0",
    "driver_version": "580.65.06",
}
PARTED = CARD | {
    "mig": list(PARTS),
    "mig_enabled": True,
    "mig_instances": [
        {"uuid": PARTS[0], "profile": "3g.40gb", "memory_total_mb": 40448},
        {"uuid": PARTS[1], "profile": "1g.10gb", "memory_total_mb": 9728},
    ],
}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """`q` and `r`, each on a MIG instance of the host's one card; applied."""
    places = {"h": [{"model": "q", "gpus": [PARTS[0]]}, {"model": "r", "gpus": [PARTS[1]]}]}
    site = make_site({"h": "h100"}, models={"q": {**MODEL}, "r": {**MODEL}}, hosts=places)
    site.hosts["h"].cards = [PARTED]
    site.hosts["h"].engines = {"--alias r ": Engine(card=CARD["pci_bus_id"])}
    site.apply()
    site.forget()
    return site


def test_each_engine_sees_its_own(site: FakeSite) -> None:
    instances = site.record()["instances"]
    assert [instances[n]["spec"]["gpus"] for n in ("q", "r")] == [[PARTS[0]], [PARTS[1]]]
    for name, part in zip("qr", PARTS, strict=True):
        environment = site.hosts["h"].files[f"/etc/xgen-deploy/p/{name}/env"]
        assert f'CUDA_VISIBLE_DEVICES="{part}"' in str(environment)
    assert site.pending_operations() == []


def test_its_card_s_cordon_covers_them(site: FakeSite) -> None:
    said = site.run("cordon", "h:0", "-y").said
    assert "- cordon  GPU 0  NVIDIA H100 80GB HBM3" in said
    assert list(site.hosts["h"].systemd.running()) == []
    other = "MIG-aaaaaaaa-0000-0000-0000-000000000009"
    part = PARTED["mig_instances"][0] | {"uuid": other}
    site.hosts["h"].cards = [PARTED | {"mig": [other], "mig_instances": [part]}]
    new = {"model": "q", "name": "new", "gpus": [other]}
    site.change(lambda m: m["hosts"]["h"].append(new))
    assert "new is not created: GPU 0 is cordoned by " in site.apply()


def test_one_that_is_gone_is_named(site: FakeSite) -> None:
    site.hosts["h"].cards = [PARTED | {"mig": [PARTS[0]], "mig_instances": [
        PARTED["mig_instances"][0]]}]  # fmt: skip
    ran = site.run("plan")
    assert ran.code == 1
    assert f"there is no GPU {PARTS[1]} on this host" in ran.said
    assert f"{PARTS[0]} on 0" in ran.said


def test_a_card_that_is_cut_later_is_refused(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"].update(h=[{"model": "q", "gpus": [0]}]))
    ran = site.run("plan")
    assert ran.code == 1
    assert "GPU 0 has MIG on: only its MIG instances can be used" in ran.said
    assert f"`gpus: [{PARTS[0]}]`" in ran.said
