"""Whether the prebuilt llama-server can run on this machine."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

# What the build's machine code uses: Intel since Haswell (2013), AMD since Excavator (2015).
_NEEDED_CPU_FLAGS = ("avx2", "bmi2", "f16c", "fma")
_NEEDED_GLIBC = (2, 35)
_YOUR_OWN = "The tool itself runs here: name a llama-server of your own under `binaries:`."


@dataclass(frozen=True)
class Machine:
    """`libc`: such as "glibc 2.36", None where there is no glibc. `cpu_flags`: the kernel's names
    for what the processor can do."""

    system: str
    architecture: str
    libc: str | None
    cpu_flags: frozenset[str]


def this_machine() -> Machine:
    """What the kernel and the C library say; reads /proc/cpuinfo."""
    return Machine(platform.system(), platform.machine(), _libc(), _cpu_flags())


def why_not(machine: Machine) -> str | None:
    """A sentence that says why the demo's engine cannot run there; None where it can."""
    if machine.system != "Linux":
        return f"The demo needs Linux, and this is {machine.system}. {_YOUR_OWN}"
    if machine.architecture != "x86_64":
        return (
            f"The demo's llama-server is built for x86_64, and this machine is "
            f"{machine.architecture}. {_YOUR_OWN}"
        )
    if machine.libc is None or _version(machine.libc) < _NEEDED_GLIBC:
        return (
            f"The demo's llama-server needs glibc 2.35 or newer (Debian 12, Ubuntu 22.04, RHEL 10),"
            f" and this machine has {machine.libc or 'another C library'}. {_YOUR_OWN}"
        )
    missing = [flag.upper() for flag in _NEEDED_CPU_FLAGS if flag not in machine.cpu_flags]
    if missing:
        return (
            f"The demo's llama-server is built for processors with AVX2, and this one lacks "
            f"{', '.join(missing)}: the engine would die of an illegal instruction. {_YOUR_OWN}"
        )
    return None


def _libc() -> str | None:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None


def _cpu_flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith("flags")), "")
    return frozenset(flags.partition(":")[2].split())


def _version(libc: str) -> tuple[int, ...]:
    numbers = libc.rpartition(" ")[2].split(".")
    return tuple(int(n) for n in numbers if n.isdigit())
