"""Reading vLLM's own log: devices, context and KV cache of its last start.

Lines: v1/engine/core.py (`Initializing a V1 LLM engine`), v1/worker (`Model loading took`),
v1/core/kv_cache_utils.py (`KV cache size`) of vLLM 0.32.
"""

import re

from xgen_deploy.backends.loading_stages import Stage
from xgen_deploy.log_lines import short_lines
from xgen_deploy.state.load_report import MOST, DeviceReport, LoadReport

# Over one short line each, and without a quantifier that has no limit: the log is the engine's.
_ENGINE = re.compile(
    r"Initializing a \S{1,16} LLM engine \(v\S{1,64}\) with config: (?P<config>.*)"
)
_SETTING = re.compile(
    r"\b(max_seq_len|tensor_parallel_size|pipeline_parallel_size|device_config)=([\w.:-]{1,64})"
)
_WEIGHTS = re.compile(r"Model loading took (?P<gib>\d{1,6}(?:\.\d{1,6})?) GiB", re.ASCII)
_KV = re.compile(
    r"KV cache size: (?P<tokens>\d[\d,]{0,15}) tokens, Maximum concurrency for "
    r"[\d,]{1,16} tokens per request: (?P<times>\d{1,9}(?:\.\d{1,6})?)x",
    re.ASCII,
)
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)
_WORKERS = re.compile(r"\d{1,4}", re.ASCII)
_MIB_PER_GIB = 1024
_SHARDS = r"Loading \S{1,20} checkpoint shards:\s{0,6}\d{1,3}% Completed \| (\d{1,5}/\d{1,5})"
LOADING_STAGES: tuple[Stage, ...] = (
    (re.compile(_SHARDS, re.ASCII), "shard {}"),
    (re.compile("Model loading took"), "weights are loaded"),
    (re.compile(r"torch\.compile|Compiling a graph"), "compiling"),
    (
        re.compile(r"Capturing CUDA graphs?[^:]{0,60}:\s{0,6}(\d{1,3})%", re.ASCII),
        "CUDA graphs {} %",
    ),
)


def read_report(log: str) -> LoadReport | None:
    """Layers stay unknown: vLLM puts a model on its GPUs whole, and says nothing of layers."""
    lines = list(short_lines(log))
    starts = [(i, m) for i, m in enumerate(map(_ENGINE.search, lines)) if m]
    if not starts:
        return None
    first, start = starts[-1]
    settings = dict(_SETTING.findall(start["config"]))
    said = lines[first:]
    kv = next(filter(None, map(_KV.search, said)), None)
    weights = [float(m["gib"]) for m in map(_WEIGHTS.search, said) if m]
    context = settings.get("max_seq_len", "")
    return LoadReport(
        devices=_devices(settings, weights),
        context=int(context) if _NUMBER.fullmatch(context) else None,
        kv_cache_tokens=int(kv["tokens"].replace(",", "")) if kv else None,
        max_concurrency=float(kv["times"]) if kv else None,
    )


def _devices(settings: dict[str, str], weights: list[float]) -> tuple[DeviceReport, ...]:
    """One for each worker; the CPU is none. Not every worker prints the size of its weights."""
    kind = settings.get("device_config", "cpu").partition(":")[0]
    if kind == "cpu":
        return ()
    sizes = ("tensor_parallel_size", "pipeline_parallel_size")
    told = [settings.get(name, "1") for name in sizes]
    if not all(map(_WORKERS.fullmatch, told)):
        return ()
    count = min(int(told[0]) * int(told[1]), MOST)
    loaded = (weights + [0.0] * count)[:count]
    return tuple(
        DeviceReport(name=f"{kind}:{i}", model_mib=round(gib * _MIB_PER_GIB, 2))
        for i, gib in enumerate(loaded)
    )
