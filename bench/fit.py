"""What a forecast takes of processor time, and a first plan of 20 instances with all left open.

python -m bench.fit
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import yaml

from tests.fit.header_file import write_header
from tests.fit.measured import model
from tests.fit.published import PUBLISHED
from xgen_deploy.fit import forecast as fit
from xgen_deploy.fit.layers import host_experts
from xgen_deploy.fit.settings import ALL, Device, Settings
from xgen_deploy.fit.shape import ModelShape

ROUNDS, PLAN_ROUNDS, INSTANCES = 20, 3, 20
SMALL = ("llama3-8b", "qwen25-7b", "qwen3-30b-a3b", "gemma3-12b", "mistral-7b", "gpt-oss-20b")
LARGE = ("llama-3.3-70b", "qwen2.5-72b")


def main() -> None:
    print("one forecast                          CPU time")
    large, experts = PUBLISHED["llama-3.3-70b"].shape(), PUBLISHED["qwen3-235b-a22b"].shape()
    _print("70B, two GPUs (CUDA)", lambda: _forecast(large, _settings("cuda")))
    _print("70B, two GPUs (Vulkan)", lambda: _forecast(large, _settings("vulkan")))
    _print("70B, half on the host", lambda: _forecast(large, _settings("cuda", layers=40)))
    aside = (host_experts(50),)
    _print("235B, experts on the host", lambda: _forecast(experts, _settings("cuda", aside=aside)))
    print(f"\nplan of {INSTANCES} on 8 H100              CPU time")
    for name, models, left in (
        ("all stated", SMALL, False),
        ("all left to the tool", SMALL, True),
        ("larger models, GPUs too few", (*SMALL, *LARGE), True),
    ):
        with TemporaryDirectory(prefix="xgen-bench-") as folder:
            _stage(Path(folder), models, left=left)
            costs = [_plan(Path(folder)) for _ in range(PLAN_ROUNDS + 1)]
        print(f"{name:34} {median(costs[1:]):8.2f} s")


def _settings(backend: str, layers: int = ALL, aside: tuple[str, ...] = ()) -> Settings:
    devices = tuple(Device(name=name, backend=backend) for name in ("0", "1"))
    return Settings(context=16384, slots=4, layers=layers, overrides=aside, devices=devices)


def _forecast(shape: ModelShape, settings: Settings) -> None:
    fit.forecast.cache_clear()
    fit.kept_bytes.cache_clear()
    fit.forecast(settings, shape)


def _print(name: str, work: Callable[[], None]) -> None:
    work()
    times = []
    for _ in range(ROUNDS):
        before = process_time()
        work()
        times.append(process_time() - before)
    print(f"{name:34} {median(times) * 1000:8.1f} ms")


def _stage(folder: Path, names: tuple[str, ...], *, left: bool) -> None:
    """A manifest and an invented fleet."""
    files = {}
    for name in names:
        shape = PUBLISHED[name].shape() if name in PUBLISHED else model(name)
        files[f"/m/{name}.gguf"] = write_header(folder / f"{name}.gguf", shape).name
    chosen: dict[str, Any] = {"gpus": "auto", "n_gpu_layers": "auto"}
    models, places = {}, []
    for at in range(INSTANCES):
        source = f"/m/{names[at % len(names)]}.gguf"
        context = {"n_ctx": "auto", "max_ctx": 131072} if left else {"n_ctx": 8192}
        models[f"m{at}"] = {"source": source, **context}
        places.append({"model": f"m{at}", **(chosen if left else {"gpus": [at % 8]})})
    manifest = {
        "project": "p",
        "images": {"llama": "llama:1"},
        "inventory": {"all": {"hosts": {"h": {}}}},
        "models": models,
        "hosts": {"h": places},
    }
    host = {"cards": ["8x H100"], "driver": "570.86.15", "memory_mb": 2_000_000, "models": files}
    (folder / "site.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))
    (folder / "fleet.yaml").write_text(yaml.safe_dump({"hosts": {"h": host}}))


def _plan(folder: Path) -> float:
    words = ["plan", "site.yaml", "--fleet", "fleet.yaml"]
    before = getrusage(RUSAGE_CHILDREN)
    run = subprocess.run(
        [sys.executable, "-m", "xgen_deploy", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if " create, " not in run.stdout:  # the last ones may find no place
        sys.exit(run.stdout + run.stderr)
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
