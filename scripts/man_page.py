"""The man page, from the commands themselves: `python scripts/man_page.py > xgen-deploy.1`. As a
build hook it puts the page into the wheel.
"""

import inspect
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent.parent
_COMMON = 5  # an option of so many commands is shown once


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """An editable install gets no page: its commands change under it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return
        folder = Path(tempfile.mkdtemp())
        (folder / "xgen-deploy.1").write_text(page(), encoding="utf-8")
        build_data["shared_data"][str(folder / "xgen-deploy.1")] = "share/man/man1/xgen-deploy.1"


def page() -> str:
    """In the man(7) language."""
    sys.path.insert(0, str(ROOT))
    import click

    from xgen_deploy import __version__
    from xgen_deploy.cli.main import main

    context = click.Context(main, info_name="xgen-deploy")
    lines = [
        f'.TH XGEN-DEPLOY 1 "" "xgen-deploy {__version__}" "User Commands"',
        ".SH NAME",
        r"xgen\-deploy \- deploy language models to GPU servers, over SSH",
        ".SH SYNOPSIS",
        ".B xgen\\-deploy",
        _escaped(" ".join(main.collect_usage_pieces(context))),
        ".SH DESCRIPTION",
        *_paragraphs(main.help or ""),
        *_described(_options(main, context)),
        ".SH COMMANDS",
    ]
    listed = {name: main.get_command(context, name) for name in main.list_commands(context)}
    commands = dict(_with_inner(listed, context))
    options = {n: _options(c, click.Context(c, context, n)) for n, c in commands.items()}
    counts = Counter(option for some in options.values() for option in some)
    common = [option for option, count in counts.items() if count >= _COMMON]
    for name, command in commands.items():
        lines += _command(command, click.Context(command, context, name))
        lines += _described([option for option in options[name] if option not in common])
    lines += [".SH OPTIONS OF MOST COMMANDS", *_described(common)]
    lines += [".SH EXIT STATUS", "The first that holds:", *_described(_exit_codes())]
    lines += [".SH SEE ALSO", ".BR ssh (1),", ".BR ssh_config (5)"]
    return "\n".join(lines) + "\n"


def _with_inner(listed: Any, context: Any) -> Iterator[tuple[str, Any]]:
    """Each command, and after one that has others in it these, by both names."""
    for name, command in listed.items():
        if command is not None:
            yield name, command
            for inner in getattr(command, "commands", {}):
                yield f"{name} {inner}", command.get_command(context, inner)


def _command(command: Any, context: Any) -> Iterator[str]:
    yield f".SS {_escaped(context.info_name)}"
    yield f".B xgen\\-deploy {_escaped(context.info_name)}"
    yield _escaped(" ".join(command.collect_usage_pieces(context)))
    yield from _paragraphs(command.help or "", first=".PP")


def _options(command: Any, context: Any) -> list[tuple[str, str]]:
    """The names of each with its value, and what it does."""
    options = [param for param in command.params if param.param_type_name == "option"]
    records = (option.get_help_record(context) for option in options)
    return [(record[0], record[1]) for record in records if record is not None]


def _exit_codes() -> list[tuple[str, str]]:
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    section = text.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| (\d+) \| (.+) \|$", section, re.MULTILINE)


def _described(terms: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, what in terms:
        yield from (".TP", f"\\fB{_escaped(term)}\\fR", *_escaped(what).splitlines())


def _paragraphs(text: str, first: str = "") -> Iterator[str]:
    """Where a paragraph begins with a backspace, click keeps its lines."""
    for number, paragraph in enumerate(inspect.cleandoc(text).split("\n\n")):
        if number or first:
            yield ".PP"
        kept = paragraph.startswith("\b\n")
        shown = [_escaped(line.strip()) for line in paragraph.removeprefix("\b\n").splitlines()]
        yield from ([".nf", *shown, ".fi"] if kept else shown)


def _escaped(text: str) -> str:
    """Backquotes become bold; a line that begins with a dot or a quote is no request."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("~", "\\(ti")
    parts = text.split("`")
    text = "".join(f"\\fB{part}\\fR" if at % 2 else part for at, part in enumerate(parts))
    return "\\&" + text if text.startswith(".") else text


if __name__ == "__main__":
    sys.stdout.write(page())
