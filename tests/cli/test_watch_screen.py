"""The one screen of `status --watch`, and the terminal that it is drawn on."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.text import Text

from tests.cli.test_gpus import MANIFEST, host, observed
from tests.site_file import load_site
from xgen_deploy.cli.screens.watch import watch_lines
from xgen_deploy.live.sample import GPUSample
from xgen_deploy.live.values import Gone, HostValues, Rates
from xgen_deploy.state.site import Site
from xgen_deploy.verify.site_status import SiteStatus
from xgen_deploy.verify.status import Status

RUNNING = Status(
    model_id="m", host="h", instance="m", status="running", backend="llama-server-cuda", port=8001
)
VALUES = HostValues(
    at=0.0,
    gpus=(GPUSample(index=0, memory_used_mb=12288, utilization_percent=97),),
    instances={"m": Rates(31.25, 400.0, 4.0, 2.0)},
    memory_available_mb=1000,
)
# Counts how often it was drawn; says which size it was given.
_DRAWS = """
import itertools
from xgen_deploy.cli.watching import Redraw, watch

count = itertools.count(1)
watch(lambda size: [f"drawn {next(count)} at {size[0]}x{size[1]}"], Redraw(), 3600)
print("it ended")
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(MANIFEST)
    return load_site(str(tmp_path / "site.yaml"))


@pytest.fixture
def shown(site: Site) -> Callable[..., list[str]]:
    status = SiteStatus(
        project="demo",
        observed={"h": observed(host("rtx3090"))},
        instances=(RUNNING,),
        gateways=(),
        locks={},
        watchdogs={},
    )

    def draw(values: HostValues | Gone, width: int = 140, height: int = 40) -> list[str]:
        lines = watch_lines(site, status, {"h": values}, 0.0, (width, height))
        return [Text.from_markup(line).plain for line in lines]

    return draw


def test_rates_and_what_gpus_do_now(shown: Callable[..., list[str]]) -> None:
    text = "\n".join(shown(VALUES))
    assert re.search(r"TOK/S +BUSY +WAITING\n.*h +m +running.* 31\.2 +4 +2\n", text)
    assert re.search(r"RTX 3090 +\[#####\.{5}\] +12\.0/24\.0 GiB +97 %", text)
    assert text.endswith("q quits")


def test_a_host_that_was_lost_since_is_said_to_be(shown: Callable[..., list[str]]) -> None:
    text = "\n".join(shown(Gone("port 22 timed out after 10 s")))
    assert re.search(r"h +UNREACHABLE +port 22 timed out after 10 s", text)


@pytest.mark.parametrize(("width", "height"), [(140, 40), (80, 24), (40, 12), (30, 5)])
def test_it_fits(shown: Callable[..., list[str]], width: int, height: int) -> None:
    lines = shown(VALUES, width, height)
    assert len(lines) <= height
    assert lines[-1] == "q quits"
    assert max(map(len, lines[2:])) <= max(width, 60)


def test_q_ends_it_and_a_new_size_draws_it_again() -> None:
    own, other = pty.openpty()
    terminal = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-c", _DRAWS],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**terminal, "TERM": "xterm"},
        start_new_session=True,
        preexec_fn=lambda: _its_terminal(other),
    )
    shown = ""

    def until(text: str) -> None:
        nonlocal shown
        while text not in shown:
            shown += os.read(own, 1 << 12).decode()  # fails where the process ends before

    try:
        _resize(own, 80, 24)
        os.close(other)
        until("drawn 1")
        _resize(own, 50, 10)
        until("at 50x10")
        os.write(own, b"x")
        os.write(own, b"q")
        until("it ended")
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(own)


def _its_terminal(terminal: int) -> None:
    import fcntl
    import termios

    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)


def _resize(terminal: int, width: int, height: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
