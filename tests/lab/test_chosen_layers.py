"""The count of layers that a plan chooses for a card is the largest that really fits there: the
real engine starts with it on a device of just that size, and one layer more does not.

The device is Mesa's, which takes all the memory there is; how much of it Vulkan grants is a
stand-in's (capped_vulkan.c), between the engine and the driver.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab import engine_site, places, tiny_model
from tests.lab.conftest import Lab
from tests.lab.engine_site import TINY
from tests.lab.host import LabHost
from tests.lab.site import Site

STAND_IN = Path(__file__).with_name("capped_vulkan.c")
LEFT_FREE = 512 + 300  # MiB of a card that no plan gives away: air, and the driver's context
CONTEXT = 512
# Up to its load report, or its refusal to start.
START = f"""
GGML_VK_VISIBLE_DEVICES=0 XGEN_DEVICE_BYTES=$1 LD_PRELOAD=$3 timeout 90 {places.ENGINE} \
    --model {TINY} --ctx-size {CONTEXT} --parallel 1 --n-gpu-layers $2 --flash-attn off \
    --fit off --no-warmup --port 8791 -lv 4 >/tmp/start.log 2>&1 &
tail --pid=$! -n +1 -F /tmp/start.log 2>/dev/null |
    grep -m 1 -E 'Vulkan_Host compute buffer size|failed to (load|create)' >/dev/null || :
kill $! 2>/dev/null || :
wait $! 2>/dev/null || :
cat /tmp/start.log
"""


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-engines")
    engine_site.place_models(found)
    return found


@pytest.fixture(scope="module")
def stand_in(host: LabHost) -> Iterator[str]:
    place = host.rootfs / "srv" / "capped_vulkan.so"
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", place, STAND_IN, "-ldl"], check=True)
    yield "/srv/capped_vulkan.so"
    place.unlink()


@pytest.mark.parametrize("mib", [4, 6])
def test_it_starts_and_with_one_more_it_does_not(
    mib: int, host: LabHost, stand_in: str, tmp_path: Path
) -> None:
    layers = chosen(tmp_path, mib)
    assert 0 < layers < tiny_model.LAYERS
    fits, more = (
        host.run(["sh", "-c", START, "start", str(mib << 20), str(count), stand_in]).stdout
        for count in (layers, layers + 1)
    )
    assert f"offloaded {layers}/{tiny_model.LAYERS} layers to GPU" in fits
    assert "Vulkan_Host compute buffer size" in fits
    assert "ErrorOutOfDeviceMemory" in more


def chosen(folder: Path, mib: int) -> int:
    """How many layers a plan puts on a card that has so much to give."""
    tiny_model.write(folder / "tiny.gguf")
    card = {"name": "AMD Radeon RX 6800", "memory_mb": LEFT_FREE + mib}
    fleet = folder / "fleet.yaml"
    hosts = {"card": {"cards": [card], "models": {TINY: "tiny.gguf"}}}
    fleet.write_text(yaml.safe_dump({"hosts": hosts}))
    site = Site(folder, "t_choice", hosts={"card": {}}, ssh_config=None)
    llama = {"flash_attn": "off"}
    site.models["tiny"] = engine_site.tiny(n_ctx=CONTEXT, n_gpu_layers="auto", llama=llama)
    site.placements["card"] = [{"model": "tiny", "gpus": [0], "backend": "llama-server-vulkan"}]
    (create,) = site.run("plan", "--fleet", str(fleet), "--json").operations("card")
    (layers,) = (re.match(r"(\d+) layers? on the GPU", note) for note in create["notes"])
    assert layers is not None, create
    return int(layers[1])
