"""The probe's Python starts without the packages that are installed for it; a detector that needs
one finds them all the same."""

import subprocess
import sys
from pathlib import Path

import xgen_deploy

CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from importlib.util import find_spec
from xgen_deploy.probe.remote.gpu_tools import with_installed_packages
before = find_spec("pytest")
with_installed_packages()
print(before, find_spec("pytest").name)
"""


def test_they_are_found_once_they_are_needed() -> None:
    root = str(Path(xgen_deploy.__file__).parents[1])
    argv = [sys.executable, "-I", "-S", "-c", CODE, root]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout == "None pytest\n"
