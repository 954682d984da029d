"""An embedding model is good once it took an input as long as its context."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite
from xgen_deploy.transport.base import Reply

MODEL = {"source": "/m/bge-m3.gguf", "type": "embedding", "n_ctx": 1024}
TOO_LARGE = "input is too large to process. increase the physical batch size"


def answer(tokens: int) -> Reply:
    body = {
        "data": [{"embedding": [1.0, 0.5]}],
        "results": [{"index": 0, "relevance_score": 0.5}],
        "usage": {"prompt_tokens": tokens},
    }
    return Reply(200, json.dumps(body).encode())


class Reading:
    """An engine with three tokens for a word and two around them. `most` is the longest that it
    takes, `cuts` whether it reads that much of a longer one and says nothing."""

    def __init__(self, most: int, *, cuts: bool = False) -> None:
        self.most = most
        self.cuts = cuts
        self.read: list[int] = []

    def __call__(self, words: int) -> Reply:
        tokens = 3 * words + 2
        self.read.append(tokens)
        if tokens > self.most and not self.cuts:
            return Reply(500, json.dumps({"error": {"message": TOO_LARGE}}).encode())
        return answer(min(tokens, self.most))


def site_with(make_site: MakeSite, reads: Reading, **fields: Any) -> FakeSite:
    site = make_site(models={"q": {**MODEL, **fields}}, hosts={"h": [q()]})
    site.hosts["h"].engines["--ctx-size"] = Engine(reads=reads)
    return site


@pytest.mark.parametrize("kind", ["embedding", "reranker"])
def test_it_is_asked_with_nearly_the_whole_context(make_site: MakeSite, kind: str) -> None:
    reads = Reading(1024)
    site_with(make_site, reads, type=kind).apply()
    assert 0.9 * 1024 < max(reads.read) <= 1024


@pytest.mark.parametrize("kind", ["embedding", "reranker"])
def test_one_that_fails_there_is_not_applied(make_site: MakeSite, kind: str) -> None:
    said = site_with(make_site, Reading(512), type=kind).apply(code=1)
    assert "an input of some 1024 tokens, as n_ctx allows, failed" in said
    assert TOO_LARGE in said


def test_one_that_cuts_it_off_is_not_applied(make_site: MakeSite) -> None:
    said = site_with(make_site, Reading(256, cuts=True)).apply(code=1)
    assert "tokens, as n_ctx allows, it read 256" in said


def test_on_the_cpu_it_is_no_longer_than_what_takes_seconds(make_site: MakeSite) -> None:
    reads = Reading(8192)
    site_with(make_site, reads, n_ctx=8192).apply()
    assert 1800 < max(reads.read) <= 2048


def test_what_was_applied_before_is_restarted_without_it(make_site: MakeSite) -> None:
    reads = Reading(1024)
    site = site_with(make_site, reads)
    site.apply()
    reads.most = 512
    assert site.run("restart", "q", "-y").code == 0
    assert site.run("verify").code == 0


def test_an_engine_that_counts_no_tokens_is_asked_no_more(make_site: MakeSite) -> None:
    site = make_site(models={"q": MODEL}, hosts={"h": [q()]})
    site.apply()


def test_a_batch_that_was_applied_before_stays(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A newer version refuses no manifest that nobody touched."""
    from xgen_deploy.backends.llama_server import LlamaServer

    reads = Reading(512)
    site = site_with(make_site, reads, llama={"n_ubatch": 512})
    assert "n_ubatch: 512 is less than n_ctx: 1024" in site.apply(code=1)
    with monkeypatch.context() as older:
        older.setattr(LlamaServer, "completed", lambda _, spec: spec)
        older.setattr(LlamaServer, "check_completed", lambda *_: None)
        site.apply()
    assert site.pending_operations() == []
    assert site.run("apply", "-y", "--refresh").code == 0
