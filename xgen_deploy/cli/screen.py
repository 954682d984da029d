"""Output: coloured lines for a terminal, plain ones otherwise, JSON for programs."""

import json
import sys
from collections.abc import Iterable

from xgen_deploy.cli.options import Settings

# Whoever can name a process or write a log on a host must not write to our terminal.
_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\n\t"}


def visible(text: str) -> str:
    """The text with its control characters spelled out."""
    return text.translate(_CONTROLS)


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
            console.print(visible(line))

    def value(self, value: object) -> None:
        """A JSON document, with --json only."""
        if self.json:
            utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
            json.dump(value, sys.stdout, indent=2, ensure_ascii=not utf8)
            sys.stdout.write("\n")
            sys.stdout.flush()
