"""`xgen-deploy --help`."""

import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from xgen_deploy.cli.main import main, run


def test_every_command_is_listed_once() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    names = main.list_commands(click.Context(main))
    assert sorted(re.findall(r"^  ([a-z][a-z-]*)  +[A-Z]", page, re.MULTILINE)) == sorted(names)


def test_an_option_without_its_value_is_its_command_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["logs", "--since"])
    said = capsys.readouterr().err
    assert said.startswith("xgen-deploy logs: Option '--since' requires an argument.")
    assert "`xgen-deploy logs --help`" in said


def test_python_runs_the_package_as_the_tool() -> None:
    words = [sys.executable, "-m", "xgen_deploy", "nosuch"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("xgen-deploy: there is no command `nosuch`")
