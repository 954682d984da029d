"""`xgen-deploy --help`."""

import re
import subprocess
import sys

import click
from click.testing import CliRunner

from xgen_deploy.cli.main import main


def test_every_command_is_listed_once() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    names = main.list_commands(click.Context(main))
    assert sorted(re.findall(r"^  ([a-z]+)  +[A-Z]", page, re.MULTILINE)) == sorted(names)


def test_python_runs_the_package_as_the_tool() -> None:
    words = [sys.executable, "-m", "xgen_deploy", "nosuch"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("xgen-deploy: there is no command `nosuch`")
