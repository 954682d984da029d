"""The man page has every command and option, and man's own checker finds no error in it."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from xgen_deploy.cli.main import main

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    argv = [sys.executable, str(ROOT / "scripts/man_page.py")]
    made = subprocess.run(argv, capture_output=True, check=True)
    path = tmp_path_factory.mktemp("man") / "xgen-deploy.1"
    path.write_bytes(made.stdout)
    return path


def test_every_command_and_option_is_in_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8").replace("\\-", "-")
    context = click.Context(main)
    for name in main.list_commands(context):
        assert f".SS {name}\n" in text
        command = main.get_command(context, name)
        assert command is not None
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        for param in (p for c in (command, *inner) for p in c.params):
            if isinstance(param, click.Option) and not param.hidden:
                assert all(option in text for option in param.opts), param.opts
    assert "\\fB130\\fR\ninterrupted" in text


def test_man_can_show_it(page: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    argv = ["mandoc", "-T", "lint", "-W", "error", str(page)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
