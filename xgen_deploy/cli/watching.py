"""Shows one screen again and again, until `q` or Ctrl-C."""

import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from xgen_deploy.cli.screens.screen import broken
from xgen_deploy.visible import printable

# Width and height of the terminal -> lines with markup.
Lines = Callable[[tuple[int, int]], list[str]]
_QUIT = b"q"


class Redraw:
    """Asked for from any thread: the screen is drawn again."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def now(self) -> None:
        try:
            os.write(self._write, b".")
        except BlockingIOError:
            return  # it is asked for already

    def asked(self) -> int:
        """A file descriptor that is readable once it is asked for; `heard` takes that back."""
        return self._read

    def heard(self) -> None:
        os.read(self._read, 4096)


def watch(lines: Lines, redraw: Redraw, every: float) -> None:
    """Until `q`. `every` so many seconds, when asked to, and when the terminal changes its size."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    keys = sys.stdin.fileno()
    with console.screen(hide_cursor=True), _keys_at_once(keys), _on_resize(redraw):
        while True:
            _draw(console, lines((console.width, console.height)))
            ready, _, _ = select.select([keys, redraw.asked()], [], [], every)
            if redraw.asked() in ready:
                redraw.heard()
            pressed = os.read(keys, 1024) if keys in ready else None
            if pressed == b"" or (pressed and _QUIT in pressed):
                return


def _draw(console: Console, lines: list[str]) -> None:
    pieces = [p for line in lines for p in broken(printable(line), console.width)]
    whole = Text("\n").join(
        Text.from_markup(p, emoji=False) if isinstance(p, str) else p for p in pieces
    )
    console.clear()
    console.print(whole, end="")


@contextmanager
def _keys_at_once(keys: int) -> Iterator[None]:
    """Keys are read without Enter, and not shown."""
    before = termios.tcgetattr(keys)
    tty.setcbreak(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


@contextmanager
def _on_resize(redraw: Redraw) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGWINCH, lambda *_: redraw.now())
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
