"""Version 0.1.0 as it was released: its own code, run as a subprocess of its own."""

from __future__ import annotations

import tarfile
from pathlib import Path

HERE = Path(__file__).parent
SITES = HERE / "sites"


def unpack(folder: Path) -> dict[str, str]:
    """The environment in which `import xgen_deploy` is 0.1.0, unpacked into `folder`."""
    with tarfile.open(HERE / "xgen_deploy-0.1.0.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
