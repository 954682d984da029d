"""Reading vLLM's own log: devices, context and KV cache of its last start.

Lines: v1/engine/core.py («Initializing a V1 LLM engine»), v1/worker («Model loading took»),
v1/core/kv_cache_utils.py («KV cache size») of vLLM 0.32.
"""

import re

from xgen_deploy.verify.report import DeviceReport, LoadReport

_ENGINE = re.compile(r"Initializing a \S+ LLM engine \(v\S+\) with config: (?P<config>.*)")
_SETTING = re.compile(
    r"\b(max_seq_len|tensor_parallel_size|pipeline_parallel_size|device_config)=([\w.:-]+)"
)
_WEIGHTS = re.compile(r"Model loading took (?P<gib>[\d.]+) GiB")
_KV = re.compile(
    r"KV cache size: (?P<tokens>[\d,]+) tokens, "
    r"Maximum concurrency for [\d,]+ tokens per request: (?P<times>[\d.]+)x"
)
_MIB_PER_GIB = 1024


def read_report(log: str) -> LoadReport:
    """Layers stay unknown: vLLM puts a model on its GPUs whole, and says nothing of layers."""
    starts = list(_ENGINE.finditer(log))
    if not starts:
        return LoadReport()
    settings = dict(_SETTING.findall(starts[-1]["config"]))
    said = log[starts[-1].start() :]
    kv = _KV.search(said)
    context = settings.get("max_seq_len", "")
    return LoadReport(
        devices=_devices(settings, [float(m["gib"]) for m in _WEIGHTS.finditer(said)]),
        context=int(context) if context.isdigit() else None,
        kv_cache_tokens=int(kv["tokens"].replace(",", "")) if kv else None,
        max_concurrency=float(kv["times"]) if kv else None,
    )


def _devices(settings: dict[str, str], weights: list[float]) -> tuple[DeviceReport, ...]:
    """One for each worker; the CPU is none. Not every worker prints the size of its weights."""
    kind = settings.get("device_config", "cpu").partition(":")[0]
    if kind == "cpu":
        return ()
    sizes = ("tensor_parallel_size", "pipeline_parallel_size")
    tensor, pipeline = (int(settings.get(name, "1")) for name in sizes)
    count = tensor * pipeline
    loaded = (weights + [0.0] * count)[:count]
    return tuple(
        DeviceReport(name=f"{kind}:{i}", model_mib=round(gib * _MIB_PER_GIB, 2))
        for i, gib in enumerate(loaded)
    )
