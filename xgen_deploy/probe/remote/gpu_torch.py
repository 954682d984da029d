"""GPUs by a PyTorch that the host has: slow, so in a process of its own and seldom."""

from __future__ import annotations

import glob
import json
import os
import re
import sys
from typing import Any

from xgen_deploy.probe.remote.commands import run, which
from xgen_deploy.probe.remote.gpu_found import Found, NotHere, mebibytes, pci_address
from xgen_deploy.probe.remote.gpu_tools import with_installed_packages
from xgen_deploy.probe.remote.machine import login_home
from xgen_deploy.probe.remote.reading import read_text

PATIENCE = 8.0
VENDORS = {"hip": "amd", "cuda": "nvidia"}

# `mem_get_info` makes a context on the card: the process ends, and the context with it.
SCRIPT = """
import sys
sys.path = [p for p in sys.path if p]
import json, torch
gpus = []
for i in range(torch.cuda.device_count()):
    p = torch.cuda.get_device_properties(i)
    try:
        free = torch.cuda.mem_get_info(i)[0]
    except Exception:
        free = None
    get = lambda name: getattr(p, name, None)
    gpus.append(dict(name=p.name, total=p.total_memory, free=free, major=p.major, minor=p.minor,
        gfx=get("gcnArchName"), uuid=str(get("uuid") or ""), integrated=bool(get("is_integrated")),
        pci=[get("pci_domain_id"), get("pci_bus_id"), get("pci_device_id")]))
print("XGEN-TORCH " + json.dumps(gpus))
"""


def amd_by_torch() -> Found:
    return _ask("hip")


def nvidia_by_torch() -> Found:
    return _ask("cuda")


def _ask(build: str) -> Found:
    """Raises NotHere without such a PyTorch, RuntimeError with its complaint."""
    vendor = VENDORS[build]
    with_installed_packages()
    built = torch_builds([*sys.path, *_user_sites()])
    if not built:
        raise NotHere("PyTorch is not installed for the host's Python")
    if build not in built:
        raise NotHere(f"the host's PyTorch is not built for {build.upper()}")
    answer = run([*_as_login(), sys.executable, "-E", "-c", SCRIPT], PATIENCE)
    _, marked, text = answer.out.partition("XGEN-TORCH ")
    if not marked:
        raise RuntimeError("PyTorch: " + answer.complaint)
    return Found([_gpu(i, seen, vendor) for i, seen in enumerate(json.loads(text))], [])


def torch_builds(folders: list[str]) -> set[str]:
    """What the first PyTorch found was built for, `hip` or `cuda`, read without importing it."""
    for folder in folders:
        text = read_text(folder + "/torch/version.py")
        if text is not None:
            kinds = re.findall(r"^(hip|cuda)\b.*=\s*['\"]", text, re.MULTILINE)
            return set(kinds)
    return set()


def _user_sites() -> list[str]:
    version = "python{}.{}".format(*sys.version_info[:2])
    return glob.glob(f"{login_home()}/.local/lib/{version}/site-packages")


def _as_login() -> list[str]:
    """Under sudo as whoever logged in, whose packages they may be."""
    words = ["/usr/bin/env", "HOME=" + login_home(), "CUDA_DEVICE_ORDER=PCI_BUS_ID"]
    name, tool = os.environ.get("SUDO_USER"), which("runuser")
    return [tool, "-u", name, "--", *words] if name and tool and name != "root" else words


def _gpu(index: int, seen: dict[str, Any], vendor: str) -> dict[str, Any]:
    free, total = seen["free"], seen["total"]
    gpu = {
        "index": index,
        "device_name": seen["name"] or None,
        "pci_bus_id": _address(seen["pci"]),
        "memory_total_mb": mebibytes(total),
        "memory_free_mb": mebibytes(free),
        "memory_used_mb": None if free is None else mebibytes(total - free),
        "apu": seen["integrated"],
    }
    if vendor == "amd":
        return dict(gpu, gfx_version=(seen["gfx"] or "").split(":")[0] or None)
    uuid = seen["uuid"]
    return dict(
        gpu,
        gpu_type="nvidia",
        compute_capability="{major}.{minor}".format(**seen),
        uuid=(uuid if uuid.startswith("GPU-") else "GPU-" + uuid) if uuid else None,
    )


def _address(parts: list[int | None]) -> str | None:
    domain, bus, device = parts
    if bus is None or device is None:
        return None
    return pci_address(f"{domain or 0:04x}:{bus:02x}:{device:02x}.0")
