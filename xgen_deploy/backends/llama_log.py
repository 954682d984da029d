"""Reading llama-server's own log (`-lv 4`): what it really did with layers and buffers.

The line `offloaded 19/19 layers` is printed without any GPU too; a GPU is in use only when a
`using device` line and a model buffer on that device say so (src/llama-model.cpp). A draft model
is loaded after the model, and the projector after both (tools/server/server-context.cpp).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from xgen_deploy.backends.loading_stages import Stage
from xgen_deploy.frozen import replace
from xgen_deploy.log_lines import short_lines
from xgen_deploy.state.load_report import DeviceReport, DraftReport, LoadReport

# Over one short line each, and without a quantifier that has no limit: the log is the engine's.
_DEVICE = re.compile(
    r"using device (?P<name>\S{1,64}) \((?P<what>.{0,200})\) \((?P<id>[^()]{0,64})\)"
    r" - \d{1,12} MiB free",
    re.ASCII,
)
_OFFLOADED = re.compile(r"offloaded (?P<done>\d{1,6})/(?P<total>\d{1,6}) layers to GPU", re.ASCII)
_BUFFER = re.compile(
    r"(?<!\S)(?P<dev>\S{1,64})[ \t]{1,40}(?P<kind>model|KV|RS|compute|output) buffer size"
    r"[ \t]{0,40}=[ \t]{0,40}(?P<mib>\d{1,9}(?:\.\d{1,6})?) MiB",
    re.ASCII,
)
_SLOT = re.compile(
    r"(?<!\S)slot[ \t]{1,40}\S{1,64}: id[ \t]{1,20}\d{1,6} \|.{0,40}new slot.{0,40}"
    r"n_ctx(?:_slot)? = (?P<n>\d{1,12})\b",
    re.ASCII,
)
_SLOTS = re.compile(r"initializing,? (?:slots, )?n_slots = (?P<n>\d{1,6})\b", re.ASCII)
_N_CTX_SEQ = re.compile(r"n_ctx_seq[ \t]{1,40}= (?P<n>\d{1,12})\b", re.ASCII)
_UNUSED_DRAFT = "no implementations specified for speculative decoding"
_WARNING = re.compile(
    rf"(?:no usable GPU found|failed to fit params|failed to mlock|{_UNUSED_DRAFT}).{{0,200}}"
)
_DRAFT = re.compile(r"loading draft model '")
_PROJECTOR = re.compile(r"clip_model_loader: |loaded multimodal model")
_FIRST = "system_info: n_threads"  # printed once a start, before any device
_FIELD = {"model": "model_mib", "KV": "kv_mib", "RS": "kv_mib", "compute": "compute_mib"}
_PCI = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$", re.IGNORECASE)
LOADING_STAGES: tuple[Stage, ...] = (
    (re.compile("load_tensors: loading model tensors"), "tensors"),
    (re.compile("warming up the model"), "warming up"),
)


def read_report(log: str) -> LoadReport | None:
    """The report of the last start in `log`; it prints where the model's buffers are, always."""
    lines = list(short_lines(log[max(log.rfind(_FIRST), 0) :]))
    at = next((i for i, line in enumerate(lines) if _DRAFT.search(line)), len(lines))
    model, draft = _load(lines[:at]), _load(lines[at:])
    if not model.host_mib and not any(d.model_mib for d in model.devices):
        return None
    slots = _last(_SLOTS, lines)
    context = _last(_SLOT, lines) or _last(_N_CTX_SEQ, lines[:at])
    return LoadReport(
        devices=model.devices,
        offloaded=model.offloaded,
        total_layers=model.total_layers,
        context=int(context["n"]) if context else None,
        slots=int(slots["n"]) if slots else None,
        host_mib=model.host_mib,
        draft=replace(draft, used=not _unused(lines)) if at < len(lines) else None,
        warnings=tuple(dict.fromkeys(m[0] for m in _all(_WARNING, lines))),
    )


def _load(lines: Sequence[str]) -> DraftReport:
    """One model's load; its lines end where the projector's begin."""
    own = list(takewhile(lambda line: not _PROJECTOR.search(line), lines))
    sizes: dict[str, dict[str, float]] = {}
    for match in _all(_BUFFER, own):
        field = _FIELD.get(match["kind"])
        if field:
            _add(sizes.setdefault(match["dev"], {}), field, float(match["mib"]))
    devices = tuple({m["name"]: _device(m, sizes) for m in _all(_DEVICE, own)}.values())
    names = {d.name for d in devices}
    layers = _last(_OFFLOADED, own)
    used = any(d.model_mib > 0 for d in devices)
    return DraftReport(
        devices=devices,
        offloaded=int(layers["done"]) if layers and used else 0,
        total_layers=int(layers["total"]) if layers else None,
        host_mib={
            k: v["model_mib"] for k, v in sizes.items() if k not in names and "model_mib" in v
        },
    )


def _add(sizes: dict[str, float], field: str, mib: float) -> None:
    """Buffers add up, but those for computing, which are reserved anew after the warm-up."""
    before = sizes.get(field, 0.0)
    sizes[field] = max(before, mib) if field == "compute_mib" else round(before + mib, 2)


def _unused(lines: Sequence[str]) -> bool:
    return any(_UNUSED_DRAFT in line for line in lines)


def _device(match: re.Match[str], sizes: dict[str, dict[str, float]]) -> DeviceReport:
    found = sizes.get(match["name"], {})
    return DeviceReport(
        name=match["name"],
        description=match["what"],
        pci_bus_id=match["id"].lower() if _PCI.match(match["id"]) else None,
        model_mib=found.get("model_mib", 0.0),
        kv_mib=found.get("kv_mib", 0.0),
        compute_mib=found.get("compute_mib", 0.0),
    )


def _all(pattern: re.Pattern[str], lines: Sequence[str]) -> Iterator[re.Match[str]]:
    """The first in each line."""
    return filter(None, map(pattern.search, lines))


def _last(pattern: re.Pattern[str], lines: Sequence[str]) -> re.Match[str] | None:
    return next(_all(pattern, lines[::-1]), None)
