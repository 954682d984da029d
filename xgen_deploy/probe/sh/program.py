"""The shell program that is sent along for a host whose Python cannot run the probe: it tells what
the machine is and which GPUs it has, and nothing else."""

import gzip
import re
import shlex
from functools import lru_cache
from pathlib import Path

from xgen_deploy.probe.remote.amd_names import APUS, IDS
from xgen_deploy.probe.remote.commands import PATH
from xgen_deploy.probe.remote.gpu_hardware import REBOOT
from xgen_deploy.probe.remote.gpu_nvidia_smi import FIELDS, MISMATCH
from xgen_deploy.probe.remote.gpu_software import FOLDERS
from xgen_deploy.state.facts import ProbeRequest

_SETTINGS = """
export LC_ALL=C
unset CDPATH ENV OMP_NUM_THREADS OMP_THREAD_LIMIT
LINE='
'
"""


def sh_program(request: ProbeRequest, root: str = "") -> bytes:
    """POSIX sh source, packed by gzip, that prints a document of `probe: sh`.

    It runs with `why` (no Python: the reason) and `python` (its version, or empty) set. `root` is
    where the kernel's files are looked for, other than / in tests.
    """
    deadline = max(1, int(request.deadline))
    asked = f"R={shlex.quote(root)} deadline={deadline} software_gpu={request.software_gpu}\nmain\n"
    return fixed_part() + _packed(asked)  # gzip takes several as one


@lru_cache(maxsize=1)
def fixed_part() -> bytes:
    """What is the same for every request."""
    folder = Path(__file__).parent
    sources = [p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.sh"))]
    return _packed(_SETTINGS + _tables() + _bare("".join(sources)))


def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), 9, mtime=0)


def _tables() -> str:
    """What both probes know, from where the other one keeps it."""
    values = {
        "PATH": PATH,
        "SMI_FIELDS": ",".join(FIELDS),
        "MISMATCH": MISMATCH,
        "REBOOT": REBOOT,
        "APUS": " ".join(sorted(APUS)),
        "AMD_IDS": " ".join(IDS),
        "ICD_FOLDERS": " ".join(FOLDERS),
    }
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def _bare(source: str) -> str:
    """Without whole-line comments and indentation, which nobody reads there."""
    return re.sub(r"(?m)^[ \t]*(?:#.*)?(?:\n|(?=\S))", "", source)
