"""The process that applies a change. It alone gets the secrets and the key that may write; it
outlives `serve`, so that nothing is cut off when that ends.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xgen_deploy.audit.actor import SERVE_USER

Hear = Callable[[str], None]
# The words of a command line, whose user asked for it, and who hears its lines -> its exit code.
Runner = Callable[[Sequence[str], str, Hear], int]


@dataclass(frozen=True)
class SeparateProcess:
    """`env` are variables that this process itself has not got, such as secrets."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __call__(self, words: Sequence[str], user: str, hear: Hear) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "xgen_deploy", *words],
            env={**os.environ, **self.env, SERVE_USER: user},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        with process:
            for line in process.stdout or ():
                hear(line.rstrip("\n"))
        return process.returncode


def read_env(path: str) -> dict[str, str]:
    """`NAME=value` lines of a file. Comments and blank lines are left out."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    stated = (line.partition("=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): value for name, equals, value in stated if equals}
