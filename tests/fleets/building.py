"""Compiles the stand-ins of the vendors' libraries and lays them out as a host has them."""

import re
import shutil
import subprocess
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

HERE = Path(__file__).parent
COMPILER = shutil.which("cc")
NVML = "libnvidia-ml.so.1"
_SYMBOL = re.compile(r"_libraries\['libamd_smi\.so'\]\.(\w+)")


def amdsmi_package() -> Path | None:
    """AMD's real bindings, if they are installed for the tests."""
    try:
        found = [file for file in files("amdsmi") or () if file.name == "amdsmi_wrapper.py"]
    except PackageNotFoundError:
        return None
    return Path(str(found[0].locate())).parent if found else None


def nvml(folder: Path, *, old: bool = False) -> None:
    """NVIDIA's library in a folder; an old one lacks the newer calls."""
    folder.mkdir(parents=True, exist_ok=True)
    _compile(folder / NVML, HERE / "libnvidia-ml.c", *(["-DOLD"] if old else []))


def rocm(tree: Path, package: Path, *, missing: Collection[str] = (), library: bool = True) -> None:
    """A ROCm tree with AMD's bindings and the library; `missing` are calls that it lacks."""
    place = tree / "share/amd_smi/amdsmi"
    shutil.copytree(package, place, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (tree / "lib").mkdir()
    if library:
        # The bindings look every call up when they are imported.
        names = set(_SYMBOL.findall((place / "amdsmi_wrapper.py").read_text())) - set(missing)
        rest = tree / "rest.c"
        calls = (f"__attribute__((weak)) int {name}(void) {{ return 2; }}" for name in names)
        rest.write_text("\n".join(sorted(calls)))
        target = tree / "lib/libamd_smi.so"
        hidden = [f"-D{name}=lacking_{name}" for name in missing]
        _compile(target, HERE / "libamd_smi.c", str(rest), *hidden)
        rest.unlink()


def _compile(target: Path, source: Path, *more: str) -> None:
    words = [str(COMPILER), "-shared", "-fPIC", "-O0", "-w", "-o", str(target), str(source), *more]
    subprocess.run(words, check=True)
