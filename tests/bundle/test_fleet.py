"""What was seen of the hosts on their site, held against what a bundle brings."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bundle.made import Outside
from tests.images.made_image import image, layer, oci, write
from xgen_deploy.bundle.driver_need import unmet_driver

BRANDS = "cuda>=12.8 brand=tesla,driver>=535,driver<536 brand=rtx,driver>=550,driver<551"
CUDA = image(
    layer("base", b"b" * 300_000), tag="site/cuda:1", Env=[f"NVIDIA_REQUIRE_CUDA={BRANDS}"]
)
CPU = image(layer("base", b"b" * 300_000), tag="site/cpu:1")
ROCM = image(layer("base", b"b" * 300_000), tag="site/rocm:1")
CARD = {"index": 0, "gpu_type": "nvidia", "device_name": "H100", "memory_total_mb": 81920}


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    images = {}
    for key, made in (("vllm-cuda", CUDA), ("llama-server-cpu", CPU), ("vllm-rocm", ROCM)):
        write(tmp_path, oci(made), f"{key}.tar")
        images[key] = {"image": made.tag, "archive": f"{key}.tar"}
    weights = tmp_path / "m"
    weights.mkdir()
    (weights / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (weights / "model.safetensors").write_bytes(b"\2" * 400_000)
    outside.write(
        {
            "project": "p",
            "runtime": "docker",
            "pull": "push",
            "images": images,
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": {"local": "m"}}},
            "hosts": {"a": [{"model": "m"}]},
        }
    )
    return outside


def facts_of_host(**changes: Any) -> dict[str, Any]:
    folder = {"path": "/srv/models", "exists": True, "free": 1 << 40, "total": 1 << 41}
    gpu = {"gpus": [{**CARD, "driver_version": "580.65.06"}], "detection_method": "pynvml"}
    facts = {
        "probe": "python", "hostname": "a", "arch": "x86_64", "kernel": "6.8", "user": "root",
        "uid": 0, "now": 0.0, "cores": 16, "python": "3.11.2", "systemd": "255", "gpu": gpu,
        "docker": {"state": "ok", "version": "28.5.2", "cli": "/usr/bin/docker"},
        "folders": [folder],
    }  # fmt: skip
    return facts | changes


def fleet_file(folder: Path, facts: dict[str, Any], host: str = "a") -> str:
    path = folder / "fleet.json"
    path.write_text(json.dumps({"hosts": {host: {"reachable": True, "facts": facts}}}))
    return str(path)


def _lacking(site: Outside, folder: Path, **changes: Any) -> str:
    code, said = site.create("--fleet", fleet_file(folder, facts_of_host(**changes)))
    assert code == 0, said
    return said


def test_a_fleet_that_will_do(site: Outside, tmp_path: Path) -> None:
    assert "not in it" not in _lacking(site, tmp_path)


def test_images_for_other_hardware_stay_here(site: Outside, tmp_path: Path) -> None:
    assert {p.name for p in site.made().index.images} == {CUDA.tag, CPU.tag, ROCM.tag}
    seen = site.made("--fleet", fleet_file(tmp_path, facts_of_host()))
    assert {p.name for p in seen.index.images} == {CUDA.tag, CPU.tag}


def _gpu(driver: str) -> dict[str, Any]:
    return {"gpus": [{**CARD, "driver_version": driver}], "detection_method": "pynvml"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"gpu": _gpu("470.57.02")},
            "a: an NVIDIA driver for CUDA 12.8 (it has 470.57.02), which site/cuda:1 needs",
        ),
        ({"python": "3.6.8"}, "a: a Python 3.8 or newer (it has 3.6.8)"),
        ({"probe": "sh", "gpu": _gpu("580.1")}, "a: a Python 3.8 or newer (no python3 was found)"),
        ({"arch": "aarch64"}, "a: image site/cpu:1 is built for amd64, and the host is aarch64"),
        ({"docker": {"state": "absent"}}, "a: Docker is not installed"),
        (
            {"folders": [{"path": "/srv/models", "exists": True, "free": 1 << 18, "total": 1}]},
            "a: room: 0.4 MiB come to /srv/models, where 0.2 MiB were free",
        ),
    ],
)
def test_what_a_bundle_does_not_change(
    site: Outside, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    printed = _lacking(site, tmp_path, **changes)
    assert f"  not in it          {said}" in printed
    _, shown = site.run("bundle", "show", str(site.output))
    assert said in shown


def test_a_host_that_nobody_saw(site: Outside, tmp_path: Path) -> None:
    code, said = site.create("--fleet", fleet_file(tmp_path, facts_of_host(), host="b"))
    assert (code, "a: --fleet does not tell of it, and nothing was checked" in said) == (0, True)
    (tmp_path / "fleet.json").write_text("hosts: {a: {cards: [H100]}}")
    code, said = site.create("--fleet", str(tmp_path / "fleet.json"))
    assert (code, "is not what `gpus --json` prints" in said) == (1, True), said


@pytest.mark.parametrize(
    ("stated", "driver", "unmet"),
    [
        ("cuda>=12.8", "570.86.10", None),
        ("cuda>=12.8", "565.57.01", "CUDA 12.8"),
        ("cuda>=13.0", "999.1", None),
        ("cuda>=11.0", "390.1", None),  # of which nothing is known
        ("cuda>=12.8 brand=tesla,driver>=535,driver<536", "535.161", None),
        ("cuda>=12.8 brand=tesla,driver>=535,driver<536", "545.1", "CUDA 12.8"),
        ("nonsense", "535.1", None),
    ],
)
def test_drivers_and_what_images_ask_for(stated: str, driver: str, unmet: str | None) -> None:
    assert unmet_driver([f"NVIDIA_REQUIRE_CUDA={stated}"], driver) == unmet
    assert unmet_driver(["PATH=/bin"], driver) is None
