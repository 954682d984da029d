"""What is shown of a step that takes long: a clock that ticks, and what is known of the loading."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from xgen_deploy.apply.events import Event
from xgen_deploy.apply.loading import Known, loading_text
from xgen_deploy.backends.loading_stages import stage_of
from xgen_deploy.backends.registry import backend_named
from xgen_deploy.cli.screens.running_rows import Intervals

GIB = 1 << 30
# Until somebody presses a key, one step goes on and nothing more is heard of it.
_WAITS = """
from xgen_deploy.apply.events import Event
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.progress import progress
import dataclasses, sys

names = {f.name: None for f in dataclasses.fields(Settings)}
settings = Settings(**{**names, "json": False, "quiet": False})
with progress(settings) as report:
    report(Event(kind="progress", host="h", instance="q", text="loading the model"))
    sys.stdin.readline()
"""


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (Known(), "loading the model"),
        (Known(last=41.2), "loading the model; last time 41 s"),
        (
            Known(read=12 * GIB, size=48 * GIB, last=41.2),
            "loading the model: 12.0 of 48.0 GiB read (25 %); last time 41 s",
        ),
        (Known(read=GIB // 2), "loading the model: 0.50 GiB read"),
        # Each worker of several reads all of it.
        (Known(read=3 * GIB, size=2 * GIB), "loading the model: 3.00 GiB read"),
        (Known(read=0, size=2 * GIB), "loading the model"),
        (
            Known(read=GIB, size=2 * GIB, stage="warming up"),
            "loading the model: 1.00 of 2.00 GiB read (50 %), warming up",
        ),
    ],
)
def test_what_is_known_of_the_loading(known: Known, text: str) -> None:
    assert loading_text(known) == text


@pytest.mark.parametrize(
    ("backend", "log", "stage"),
    [
        ("llama-server-cpu", "0.01 I load_tensors: loading model tensors, this can", "tensors"),
        ("llama-server-cpu", "loading model tensors\nI common: warming up the model", "warming up"),
        (
            "vllm-cuda",
            "Loading safetensors checkpoint shards:   0% Completed | 0/4 [00:00<?, ?it/s]\r"
            "Loading safetensors checkpoint shards:  50% Completed | 2/4 [00:01<00:01,  1.9it/s]",
            "shard 2/4",
        ),
        (
            "vllm-cuda",
            "Capturing CUDA graphs (PIECEWISE):  45%|####  | 30/67 [00:02",
            "CUDA graphs 45 %",
        ),
        ("vllm-cuda", "INFO something else", None),
    ],
)
def test_the_engine_s_own_words(backend: str, log: str, stage: str | None) -> None:
    engine = backend_named(backend)
    assert engine is not None
    assert stage_of(log, engine.loading_stages) == stage


def test_where_lines_stay_they_are_few() -> None:
    intervals = Intervals()

    def told(seconds: range) -> Iterator[int]:
        for now in seconds:
            event = Event(kind="progress", host="h", instance="q", text="loading", waited=now)
            if intervals.is_due(event):
                yield now

    assert list(told(range(2, 600, 2))) == [10, 20, 40, 80, 140, 200, 260, 320, 380, 440, 500, 560]
    assert intervals.is_due(Event(kind="done", host="h", instance="q"))
    assert list(told(range(2, 30, 2))) == [10, 20]


def test_on_a_terminal_the_clock_ticks_while_nothing_is_heard() -> None:
    own, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _WAITS],
        stdin=other,
        stdout=other,
        stderr=other,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(other)
    try:
        shown = ""
        while re.search(r"loading the model\s+2 s", shown) is None:
            piece = os.read(own, 1 << 12).decode()  # fails where the process ends before
            shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", piece)
        assert re.search(r"h/q\s+loading the model\s+0 s", shown)
        assert re.search(r"loading the model\s+1 s", shown)
        os.write(own, b"\n")
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(own)
