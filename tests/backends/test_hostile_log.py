"""An engine's log and pages are whatever the engine prints: reading them costs little, and what is
kept of them is small.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from xgen_deploy.audit import event
from xgen_deploy.backends import llama_log, vllm_log
from xgen_deploy.backends.llama_props import with_props
from xgen_deploy.backends.log_errors import complaint, telling
from xgen_deploy.backends.registry import ENGINES
from xgen_deploy.backends.vllm_pages import MODELS, VERSION, report_endpoint
from xgen_deploy.state.exit_status import exit_words, out_of_memory
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.transport import refusals
from xgen_deploy.watchdog import remote

MIB = 1 << 20
ENGINE = "Initializing a V1 LLM engine (v1) with config: "
HOSTILE = [
    "a",
    " ",
    "9",
    "a ",
    "a.",
    "a://",
    "] a.",
    "a: ",
    "slot a: id 1 | new slot ",
    "slot ",
    "using device A (",
    ") (",
    "A model buffer size = ",
    "n_ctx_seq ",
    ENGINE,
    "max_seq_len=",
    "KV cache size: 1,",
    "error while loading shared libraries: ",
    'exec: "',
    "Out of memory: Killed process 1 (",
    "llamacpp:n_decode_total{} ",
    "}",
    "ImportError: #",
]
HEADS = ["", "using device A (", "slot a: id 1 |", "llamacpp:n_decode_total{"]


def _read(text: str) -> None:
    """All that looks into what a host printed."""
    llama_log.read_report(text)
    vllm_log.read_report(ENGINE + "\n" + text)
    lines = text.split("\n")
    complaint(lines)
    telling(lines, 15)
    exit_words("exit-code", 127, lines)
    out_of_memory(lines)
    event.safe(text)
    refusals.explain("h", "root", 1, text.encode(), b"")
    for engine in ENGINES:
        remote.total(engine.counters, text)
        remote.total(engine.in_flight, text)


@pytest.mark.parametrize("length", ["one long line", "many long lines"])
def test_reading_ends_whatever_was_printed(length: str) -> None:
    """In a process of its own: a pattern that does not end cannot be interrupted."""
    program = (
        "from tests.backends import test_hostile_log as t\n"
        f"for head in t.HEADS[:{1 if 'one' in length else None}]:\n"
        "    for part in t.HOSTILE:\n"
        f"        t._read(t._{length.replace(' ', '_')}(head, part))\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=300)


def _one_long_line(head: str, part: str) -> str:
    return head + part * (MIB // len(part))


def _many_long_lines(head: str, part: str) -> str:
    return "\n".join([head + part * (4000 // len(part))] * 20)


@pytest.mark.parametrize("module", [llama_log, vllm_log])
def test_no_pattern_gets_more_than_a_short_line(
    module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = [0]
    for name, pattern in vars(module).items():
        if isinstance(pattern, re.Pattern):
            monkeypatch.setattr(module, name, _Counting(pattern, longest))
    read: Callable[[str], LoadReport | None] = vars(module)["read_report"]
    read(ENGINE + "x" * MIB + "\n" + "A" * MIB)
    assert longest == [4096]


class _Counting:
    """A pattern that notes the longest text that it was given."""

    def __init__(self, pattern: re.Pattern[str], longest: list[int]) -> None:
        self._pattern = pattern
        self._longest = longest

    def __getattr__(self, name: str) -> Callable[[str], object]:
        def counted(text: str) -> object:
            self._longest[0] = max(self._longest[0], len(text))
            return getattr(self._pattern, name)(text)

        return counted


@pytest.mark.parametrize(
    "line",
    [
        "CPU model buffer size = 1.2.3 MiB",
        "CPU model buffer size = . MiB",
        "CUDA0 model buffer size = " + "9" * 400 + " MiB",
        "offloaded " + "9" * 5000 + "/19 layers to GPU",
        "initializing, n_slots = " + "9" * 5000,
    ],
)
def test_a_number_that_is_none_is_not_read(line: str) -> None:
    report = llama_log.read_report(f"CPU model buffer size = 1.00 MiB\n{line}")
    assert report == LoadReport(offloaded=0, host_mib={"CPU": 1.0})


@pytest.mark.parametrize(
    ("size", "devices"), [("1000000000000", 0), ("9" * 60, 0), ("\u00b2", 0), ("9999", 64)]
)
def test_a_log_makes_no_more_than_64_devices(size: str, devices: int) -> None:
    config = f"max_seq_len=\u00b2, tensor_parallel_size={size}, device_config=cuda"
    report = vllm_log.read_report(ENGINE + config)
    assert report is not None
    assert (len(report.devices), report.context) == (devices, None)


def test_what_is_kept_of_a_start_is_small() -> None:
    lines = [f"failed to mlock {i} {'x' * 5000}" for i in range(1000)]
    lines += [f"D{i} model buffer size = 1.00 MiB" for i in range(1000)]
    lines += [f"using device G{i} ({'y' * 190}) (unknown id) - 1 MiB free" for i in range(1000)]
    report = llama_log.read_report("\n".join(lines))
    assert report is not None
    assert (len(report.devices), len(report.warnings), len(report.host_mib)) == (64, 64, 64)
    assert len(report.model_dump_json()) < 100_000


def test_a_page_adds_no_long_text_to_the_report() -> None:
    props = {"build_info": "A" * MIB, "model_ftype": "B" * MIB}
    page = json.dumps({"default_generation_settings": {"params": {"top_k": 40}}, **props})
    report = with_props(LoadReport(), page)
    assert report.sampling == {"top_k": 40.0}
    assert report.version == "A" * 199 + "…"
    assert len(report.quantization or "") == 200
    version = report_endpoint(LoadReport(), VERSION, json.dumps({"version": "A" * MIB})).version
    assert len(version or "") == 200
    assert report_endpoint(LoadReport(), VERSION, '{"version": ["A"]}') == LoadReport()
    assert report_endpoint(LoadReport(), MODELS, '{"data": [{"max_model_len": 8}]}').context == 8


def test_a_complaint_is_shown_up_to_its_thousandth_character() -> None:
    line = "ValueError: " + "a" * MIB
    assert len(complaint([line]) or "") == 1000
    assert [len(shown) for shown in telling([line], 15)] == [1000]
