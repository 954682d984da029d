"""AMD GPUs by amdsmi, in the copy that fits the host's ROCm."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, Callable

from xgen_deploy.probe.remote.gpu_found import Found, NotHere, mebibytes, pci_address
from xgen_deploy.probe.remote.gpu_tools import SHARE, rocm_tree, with_installed_packages
from xgen_deploy.probe.remote.processes import gpu_process


def amd_by_amdsmi() -> Found:
    """Raises NotHere without its library, and the library's own errors."""
    amdsmi = _module()
    amdsmi.amdsmi_init()
    try:
        gpus: list[dict[str, Any]] = []
        lost: list[tuple[str, str]] = []
        for index, handle in enumerate(amdsmi.amdsmi_get_processor_handles()):
            try:
                gpus.append(_gpu(amdsmi, handle, index))
            except Exception as error:  # this card is lost, the others may serve
                lost.append((f"GPU {index}", " ".join(str(error).split())))
        return Found(gpus, lost)
    finally:
        amdsmi.amdsmi_shut_down()


def _module() -> Any:
    """The ROCm tree's copy before whatever else Python would find."""
    tree = rocm_tree()
    if tree:
        os.environ.setdefault("ROCM_PATH", tree)
        sys.path.insert(0, tree + SHARE)
    try:
        return _imported()
    except KeyError as error:
        raise NotHere(f"amdsmi finds no {error.args[0]!s} (KeyError)") from None
    finally:
        if tree:
            sys.path.remove(tree + SHARE)


def _imported() -> Any:
    try:
        return importlib.import_module("amdsmi")
    except ModuleNotFoundError:
        with_installed_packages()  # it, or what a ROCm's copy needs, is one of them
        return importlib.import_module("amdsmi")


def _gpu(smi: Any, handle: Any, index: int) -> dict[str, Any]:
    """Each field on its own: what a card cannot tell is None. Raises where the card is lost."""
    address = pci_address(smi.amdsmi_get_gpu_device_bdf(handle))
    asic = _maybe(lambda: smi.amdsmi_get_gpu_asic_info(handle)) or {}
    places = _maybe(lambda: smi.amdsmi_get_gpu_enumeration_info(handle)) or {}
    driver = _maybe(lambda: smi.amdsmi_get_gpu_driver_info(handle)) or {}
    activity = _maybe(lambda: smi.amdsmi_get_gpu_activity(handle)) or {}
    uuid = _uuid(places.get("hip_uuid"))
    total, used = _memory(smi, handle, "VRAM")
    gtt_total, gtt_used = _memory(smi, handle, "GTT")
    minor = places.get("drm_render")
    return {
        "index": index,
        "device_name": _text(asic.get("market_name")),
        "uuid": uuid,
        "hip_uuid": uuid,
        "pci_bus_id": address,
        "memory_total_mb": mebibytes(total),
        "memory_used_mb": mebibytes(used),
        "memory_free_mb": None if total is None or used is None else mebibytes(total - used),
        "gtt_total_mb": mebibytes(gtt_total),
        "gtt_used_mb": mebibytes(gtt_used),
        "utilization_percent": _number(activity.get("gfx_activity")),
        "gfx_version": _gfx(asic.get("target_graphics_version")),
        "driver_version": _text(driver.get("driver_version")),
        "render_node": f"/dev/dri/renderD{minor}" if isinstance(minor, int) else None,
        "apu": bool((_number(asic.get("flags")) or 0) & 1),
        "processes": _processes(smi, handle),
    }


def _memory(smi: Any, handle: Any, kind: str) -> tuple[int | None, int | None]:
    which = getattr(smi.AmdSmiMemoryType, kind)
    total = _number(_maybe(lambda: smi.amdsmi_get_gpu_memory_total(handle, which)))
    return total, _number(_maybe(lambda: smi.amdsmi_get_gpu_memory_usage(handle, which)))


def _processes(smi: Any, handle: Any) -> list[dict[str, Any]]:
    processes = []
    for process in _maybe(lambda: smi.amdsmi_get_gpu_process_list(handle)) or ():
        memory = _number(process.get("memory_usage", {}).get("vram_mem"))
        if _number(process.get("pid")):
            processes.append(gpu_process(process["pid"], mebibytes(memory)))
    return processes


def _uuid(text: Any) -> str | None:
    """Processors with graphics often say `GPU-XX`, which is nobody's."""
    known = _text(text)
    return known.lower().replace("gpu-", "GPU-") if known and _hex(known[4:]) else None


def _hex(text: str) -> bool:
    return bool(text.strip("0")) and all(c in "0123456789abcdefABCDEF" for c in text)


def _gfx(text: Any) -> str | None:
    known = _text(text)
    return known if known and known.strip("gfx0") else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value.strip() not in ("", "N/A") else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _maybe(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except Exception:  # not supported, no permission, or a call that this version lacks
        return None
