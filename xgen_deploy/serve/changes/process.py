"""The process that applies a change. It alone gets the secrets and the key that may write; it
outlives `serve`, so that nothing is cut off when that ends.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xgen_deploy.audit.actor import SERVE_USER

Hear = Callable[[str], None]
# The words of a command line, whose user asked for it, and who hears its lines -> its exit code.
Runner = Callable[[Sequence[str], str, Hear], int]


@dataclass(frozen=True)
class SeparateProcess:
    """`env_file` has variables that this process itself never reads, such as secrets."""

    env_file: str | None = None

    def __call__(self, words: Sequence[str], user: str, hear: Hear) -> int:
        module = ["xgen_deploy"]
        if self.env_file is not None:
            module = ["xgen_deploy.serve.changes.with_env", self.env_file]
        process = subprocess.Popen(
            [sys.executable, "-m", *module, *words],
            env={**os.environ, SERVE_USER: user},
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
