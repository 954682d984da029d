"""Output: coloured lines for a terminal, plain ones otherwise, JSON for programs."""

import sys
from collections.abc import Iterable

from xgen_deploy.cli.options import Settings
from xgen_deploy.visible import json_text, printable


class Screen:
    """Standard output of one command."""

    def __init__(self, settings: Settings) -> None:
        self.json = settings.json
        self.quiet = settings.quiet

    def lines(self, lines: Iterable[str], *, always: bool = False) -> None:
        """Lines with `rich` markup; nothing with --json, and with -q only what is `always`."""
        if self.json or (self.quiet and not always):
            return
        from rich.console import Console

        console = Console(highlight=False, soft_wrap=True, emoji=False)
        for line in lines:
            console.print(printable(line))

    def value(self, value: object) -> None:
        """A JSON document, with --json only."""
        if self.json:
            utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
            sys.stdout.write(json_text(value, indent=2, ascii_only=not utf8) + "\n")
            sys.stdout.flush()
