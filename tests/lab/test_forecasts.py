"""What is forecast of memory is what a real engine reports then, on software GPUs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli.call import Capsys, call
from tests.lab import hollow_models, payload, places
from tests.lab.conftest import Lab
from tests.lab.engine_site import MINILM, MODELS, TINY, place_models, shaders
from tests.lab.host import LabHost
from xgen_deploy.backends.llama_log import read_report
from xgen_deploy.state.load_report import DeviceReport

ONE, TWO = ("Vulkan0",), ("Vulkan0", "Vulkan1")
_BUILD = 10068
_LARGEST_MIB = 128  # Mesa's software device takes no larger tensor
STARTS = [
    ("tiny", TWO, "-c 512 -ngl 99 -np 1 -ts 3,1"),
    ("tiny", ONE, "-c 2048 -ngl 5 -np 4"),
    ("gemma", ONE, "-c 2048 -ngl 99 -np 1"),
    ("gemma", ONE, "-c 8192 -ngl 12 -np 2"),
    ("gemma", TWO, "-c 4096 -ngl 99 -np 1 -ts 2,1"),
    ("gemma", ONE, "-c 4096 -ngl 99 -np 1 -fa off"),
    ("gemma", ONE, "-c 4096 -ngl 99 -np 1 -ctk q8_0 -ctv q8_0"),
    ("minilm", ONE, "-c 512 -ngl 99 -np 1 --embeddings --pooling mean"),
    ("llama32-1b", ONE, "-c 4096 -ngl 99 -np 1"),
    ("llama32-1b", ONE, "-c 8192 -ngl 99 -np 4 -kvu"),
    ("llama32-1b", TWO, "-c 8192 -ngl 99 -np 2 -ts 1,1"),
    ("llama32-1b", TWO, "-c 8192 -ngl 99 -np 2 -ts 4,2"),
    ("llama32-1b", ONE, "-c 8192 -ngl 2 -np 1"),
    ("llama32-1b", ONE, "-c 4096 -ngl 99 -np 1 -b 1024 -ub 256"),
    ("llama32-1b", ONE, "-c 4096 -ngl 99 -np 1 -nkvo"),
    ("qwen25-7b", ONE, "-c 4096 -ngl 99 -np 1"),
    ("qwen25-7b", ONE, "-c 4096 -ngl 0 -np 1"),
    ("qwen25-7b", TWO, "-c 30000 -ngl 99 -np 8 -ts 1,2 -ctk q8_0 -ctv q8_0"),
    ("qwen3-0.6b", ONE, "-c 4096 -ngl 99 -np 1"),
    ("qwen3-0.6b", ONE, "-c 8192 -ngl 99 -np 1 -fa off"),
    ("qwen3-0.6b", TWO, "-c 8192 -ngl 3 -np 2 -ts 1,1"),
    ("qwen3-30b-a3b", ONE, "-c 4096 -ngl 99 -np 1"),
    ("qwen3-30b-a3b", ONE, "-c 4096 -ngl 99 -np 1 -ncmoe 2"),
    ("gpt-oss-20b", ONE, "-c 8192 -ngl 99 -np 1"),
    ("gpt-oss-20b", TWO, "-c 8192 -ngl 99 -np 2 -ts 1,1"),
    ("gpt-oss-20b", ONE, "-c 8192 -ngl 2 -np 1"),
    ("deepseek-v2-lite", ONE, "-c 4096 -ngl 99 -np 1"),
    ("deepseek-v2-lite", TWO, "-c 8192 -ngl 10 -np 1 -ts 2,1"),
]
# Up to its report, which comes before anything is computed.
_START = """
log=$(mktemp)
"$@" >"$log" 2>&1 & engine=$!
until grep -q 'reserve took' "$log" || ! kill -0 $engine 2>/dev/null; do sleep 0.05; done
kill -9 $engine; wait $engine; cat "$log"; rm "$log"
"""


class Row(NamedTuple):
    """MiB of one device."""

    start: str
    device: str
    forecast: tuple[float, float, float]
    reported: tuple[float, float, float]

    @property
    def is_near(self) -> bool:
        return sum(self.forecast) == pytest.approx(sum(self.reported), rel=0.002, abs=0.1)

    def __str__(self) -> str:
        sizes = (f"{a:8.2f} {b:8.2f}" for a, b in zip(self.forecast, self.reported, strict=True))
        total = sum(self.reported)
        off = f"{(sum(self.forecast) - total) / total:+.2%}" if total > 1 else ""
        return f"{self.start:66} {self.device}  {'   '.join(sizes)}  {off}"


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-engines")
    place_models(found)
    for name in hollow_models.CUTS:
        hollow_models.write(_on_disk(found, _path(name)), name)
    return found


def test_each_device_takes_what_was_forecast(host: LabHost, capsys: Capsys) -> None:
    rows = [row for start in STARTS for row in _rows(host, capsys, *start)]
    heading = (
        f"{'':75}   weights    ...      cache    ...    compute    ...    MiB: forecast, report"
    )
    with capsys.disabled():
        print("", heading, *rows, sep="\n")
    assert [str(row) for row in rows if not row.is_near] == []


def _rows(
    host: LabHost, capsys: Capsys, name: str, devices: tuple[str, ...], words: str
) -> list[Row]:
    told, reported = (
        _forecast(host, capsys, name, devices, words),
        _started(host, name, devices, words),
    )
    return [
        Row(
            f"{name} {words}",
            device,
            tuple(told[device][f"{part}_mib"] for part in ("weights", "kv", "compute")),
            (reported[device].model_mib, reported[device].kv_mib, reported[device].compute_mib),
        )
        for device in devices
    ]


def _forecast(
    host: LabHost, capsys: Capsys, name: str, devices: tuple[str, ...], words: str
) -> dict[str, Any]:
    path = _path(name)
    gemma = payload.model_dir() / Path(path).name
    file = str(gemma if path == places.MODEL else _on_disk(host, path))
    build = ("--engine-build", str(_BUILD), "--max-buffer-mib", str(_LARGEST_MIB))
    options = ("--backend", "llama-server-vulkan", "--devices", ",".join(devices), *build)
    code, said = call(capsys, "fit", file, *options, "--json", "--", *words.split())
    assert code == 0, said
    found: dict[str, Any] = json.loads(said)["devices"]
    return found


def _started(
    host: LabHost, name: str, devices: tuple[str, ...], words: str
) -> dict[str, DeviceReport]:
    variables = shaders("forecast") | {"GGML_VK_VISIBLE_DEVICES": ",".join("0" for _ in devices)}
    stated = [f"{name}={value}" for name, value in variables.items()]
    options = ("--device", ",".join(devices), "-lv", "4", "--no-warmup", "--port", "8599")
    engine = [places.ENGINE, "-m", _path(name), *options, *words.split()]
    log = host.run(["sh", "-c", _START, "sh", "env", *stated, *engine]).stdout
    report = read_report(log)
    assert report is not None, log
    return {device.name: device for device in report.devices}


def _path(name: str) -> str:
    own = {"tiny": TINY, "gemma": places.MODEL, "minilm": MINILM}
    return own.get(name, f"{MODELS}/hollow-{name}.gguf")


def _on_disk(host: LabHost, path: str) -> Path:
    return host.rootfs / path.lstrip("/")
