"""Reading llama-server's own log (`-lv 4`): what it really did with layers and buffers.

The line «offloaded 19/19 layers» is printed without any GPU too; a GPU is in use only when a
`using device` line and a model buffer on that device say so (src/llama-model.cpp).
"""

import re

from xgen_deploy.verify.report import DeviceReport, LoadReport

_DEVICE = re.compile(
    r"using device (?P<name>\S+) \((?P<what>.*)\) \((?P<id>[^()]*)\) - \d+ MiB free"
)
_OFFLOADED = re.compile(r"offloaded (?P<done>\d+)/(?P<total>\d+) layers to GPU")
_BUFFER = re.compile(
    r"(?P<dev>\S+)\s+(?P<kind>model|KV|RS|compute|output) buffer size\s*=\s*(?P<mib>[\d.]+) MiB"
)
_SLOT = re.compile(r"slot\s+\S+: id\s+(?P<id>\d+) \|.*new slot.*n_ctx(?:_slot)? = (?P<n>\d+)")
_SLOTS = re.compile(r"initializing,? (?:slots, )?n_slots = (?P<n>\d+)")
_N_CTX_SEQ = re.compile(r"n_ctx_seq\s+= (?P<n>\d+)")
_WARNING = re.compile(r"(no usable GPU found.*|failed to fit params.*|failed to mlock.*)")
_FIRST = "system_info: n_threads"  # printed once a start, before any device
_FIELD = {"model": "model_mib", "KV": "kv_mib", "RS": "kv_mib", "compute": "compute_mib"}
_PCI = re.compile(r"^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$", re.IGNORECASE)


def read_report(log: str) -> LoadReport:
    """The report of the last start in `log`."""
    log = log[max(log.rfind(_FIRST), 0) :]
    found = list(_DEVICE.finditer(log))
    sizes: dict[str, dict[str, float]] = {}
    for match in _BUFFER.finditer(log):
        field = _FIELD.get(match["kind"])
        if field:
            per = sizes.setdefault(match["dev"], {})
            per[field] = round(per.get(field, 0.0) + float(match["mib"]), 2)
    devices = tuple(_device(m, sizes) for m in found)
    names = {d.name for d in devices}
    layers = _last(_OFFLOADED, log)
    used = any(d.model_mib > 0 for d in devices)
    slots = _last(_SLOTS, log)
    context = _last(_SLOT, log) or _last(_N_CTX_SEQ, log)
    return LoadReport(
        devices=devices,
        offloaded=(int(layers["done"]) if layers and used else 0),
        total_layers=int(layers["total"]) if layers else None,
        context=int(context["n"]) if context else None,
        slots=int(slots["n"]) if slots else None,
        host_mib={
            k: v["model_mib"] for k, v in sizes.items() if k not in names and "model_mib" in v
        },
        warnings=tuple(dict.fromkeys(m[0] for m in _WARNING.finditer(log))),
    )


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


def _last(pattern: re.Pattern[str], log: str) -> re.Match[str] | None:
    matches = list(pattern.finditer(log))
    return matches[-1] if matches else None
