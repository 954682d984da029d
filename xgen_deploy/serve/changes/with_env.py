"""A program of its own: reads `NAME=value` lines of a file and becomes the command line with these
variables, so that `serve` itself never reads them.
"""

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from xgen_deploy.errors import UsageError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_env_file(path: str) -> None:
    """Raises UsageError where it is not there, or where others may read it."""
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        raise UsageError(f"--apply-env {path}: {error.strerror}") from None
    if mode & _OTHERS:
        raise UsageError(f"--apply-env: others may read or change {path}; run `chmod 600 {path}`")


def variables(text: str) -> Iterator[tuple[str, str]]:
    """Comments and blank lines are none."""
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.strip() and not line.lstrip().startswith("#"):
            yield name.strip(), value


def main(path: str, *words: str) -> None:
    check_env_file(path)
    env = {**os.environ, **dict(variables(Path(path).read_text(encoding="utf-8")))}
    program = [sys.executable, "-m", "xgen_deploy", *words]
    os.execve(program[0], program, env)  # noqa: S606


if __name__ == "__main__":
    main(*sys.argv[1:])
