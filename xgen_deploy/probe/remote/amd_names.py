"""Names and families of AMD GPUs."""

from __future__ import annotations

import re

from xgen_deploy.probe.remote.reading import read_text

IDS = ("/usr/share/libdrm/amdgpu.ids", "/opt/amdgpu/share/libdrm/amdgpu.ids")
# Graphics that share the processor's memory; kfd alone does not tell for the newer ones.
APUS = {
    "gfx902", "gfx90c", "gfx1013", "gfx1033", "gfx1035", "gfx1036", "gfx1037",
    "gfx1103", "gfx1150", "gfx1151", "gfx1152", "gfx1153",
}  # fmt: skip


def gfx_name(version: int | None) -> str | None:
    """From kfd's decimal number: 90010 is gfx90a, 110501 is gfx1151; 0 is a processor."""
    if not version:
        return None
    major, minor, step = version // 10000, version // 100 % 100, version % 100
    return f"gfx{major}{minor}{step:x}"


def gfx_from_blocks(major: int | None, minor: int | None, revision: int | None) -> str | None:
    """From the graphics block's own version, which is gfx's from RDNA on."""
    if major is None or major < 10:
        return None
    return f"gfx{major}{minor or 0}{revision or 0:x}"


def family(gfx: str | None) -> str:
    """GCN 5 counts with CDNA: its descendant, with the same wave size."""
    if not gfx:
        return "unknown"
    if re.match(r"gfx9[0-9a-f]{2}$", gfx):
        return "amd_cdna"
    return "amd_rdna" if re.match(r"gfx1[0-9][0-9a-f]{2}$", gfx) else "unknown"


def marketing_name(device: int | None, revision: int | None, files: tuple[str, ...]) -> str | None:
    """From libdrm's list, whose lines are `744C,	C8,	AMD Radeon RX 7900 XTX`."""
    if device is None or revision is None:
        return None
    ids = (f"{device:04X}", f"{revision:02X}")
    for file in files:
        for line in (read_text(file) or "").splitlines():
            parts = [part.strip() for part in line.split(",", 2)]
            if len(parts) == 3 and (parts[0].upper(), parts[1].upper()) == ids:
                return parts[2]
    return None
