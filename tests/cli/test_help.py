"""`xgen-deploy --help`."""

import re

import click
from click.testing import CliRunner

from xgen_deploy.cli.main import main


def test_every_command_is_listed_once() -> None:
    page = CliRunner().invoke(main, ["--help"]).output
    names = main.list_commands(click.Context(main))
    assert sorted(re.findall(r"^  ([a-z]+)  +[A-Z]", page, re.MULTILINE)) == sorted(names)
