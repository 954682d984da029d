"""Pages of real engines and of HAProxy, as they were recorded, and what is passed on of them."""

import re
from pathlib import Path

import pytest

from xgen_deploy.watch.metrics import Metric
from xgen_deploy.watch.relayed import HAPROXY, LLAMA_SERVER, VLLM, series_names
from xgen_deploy.watch.remote.exposition import GATEWAY, read_page

RECORDED = Path(__file__).parent / "recorded"
ADDED = {"instance": "m", "model": "qwen"}
# Only after something happened: a request was refused, an error, a model put to sleep.
SELDOM = {"vllm:admission_rejections_total", "vllm:corrupted_requests_total"}
PAGES = [("llama-server", LLAMA_SERVER), ("vllm", VLLM), ("haproxy", HAPROXY)]


@pytest.mark.parametrize(("name", "metrics"), PAGES)
def test_all_that_is_listed_is_there_and_is_what_it_is_said_to_be(
    name: str, metrics: tuple[Metric, ...]
) -> None:
    page = (RECORDED / f"{name}.txt").read_text()
    passed_on = {s.name for s in read_page(page.encode(), metrics, ADDED, GATEWAY)}
    listed = {series for m in metrics for series in series_names(m)}
    assert listed - SELDOM <= passed_on <= listed
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))
    assert {m.name: m.kind for m in metrics if m.name in kinds} == {
        m.name: kinds[m.name] for m in metrics if m.name in kinds
    }


def test_a_histogram_keeps_its_buckets() -> None:
    page = (RECORDED / "vllm.txt").read_bytes()
    name = "vllm:time_to_first_token_seconds_bucket"
    buckets = [dict(s.labels) for s in read_page(page, VLLM, ADDED) if s.name == name]
    assert "+Inf" in {labels["le"] for labels in buckets}
    assert {labels["instance"] for labels in buckets} == {"m"}
