"""Models that do not write: vectors and scores from the real engine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import ask, minilm, places
from tests.lab.conftest import Lab
from tests.lab.engine_site import MINILM, place_models, status, tiny
from tests.lab.host import LabHost
from tests.lab.site import Site

PORT = 8503
SENTENCES = [
    "A cat sleeps on the sofa.",
    "The stock market fell sharply today.",
    "A kitten naps on the couch.",
]


@pytest.fixture
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-engines")
    place_models(found)
    return found


@pytest.fixture
def site(host: LabHost, tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, "t_kinds", ports=f"{PORT}-{PORT + 1}")
    yield found
    found.run("destroy", "-y")


def test_an_embedding_model_knows_what_is_alike(host: LabHost, site: Site) -> None:
    site.models["minilm"] = {
        "source": MINILM,
        "type": "embedding",
        "n_ctx": minilm.CONTEXT,
        "llama": {"pooling": "mean"},
    }
    site.serve(host.name, "minilm", listen=host.address)
    site.apply()
    assert status(site)["server_type"] == "embedding"
    answer = ask.post(host, PORT, "/v1/embeddings", {"model": "minilm", "input": SENTENCES})
    cat, market, kitten = (entry["embedding"] for entry in answer["data"])
    assert [len(vector) for vector in (cat, market, kitten)] == [minilm.LENGTH] * 3
    assert _likeness(cat, kitten) > 0.5 > max(_likeness(cat, market), _likeness(kitten, market))
    assert site.run("verify").code == 0
    _other_vectors_are_refused_until_they_are_accepted(site)


def _other_vectors_are_refused_until_they_are_accepted(site: Site) -> None:
    """Another way to make one vector of many: the index of a customer would be worth nothing."""
    site.models["minilm"]["accept"] = {"file": str(site.folder / "accept.json")}
    argv = site.argv_on(site.write(), "accept")
    at = argv.index("accept") + 1
    recorded = subprocess.run(
        [*argv[:at], "record", *argv[at:]], capture_output=True, text=True, check=False
    )
    assert recorded.returncode == 0, recorded.stderr
    assert "minilm: 4 vectors of" in recorded.stdout
    site.models["minilm"]["llama"]["pooling"] = "cls"
    changed = site.run("apply", "-y")
    assert changed.code == 1
    assert "has a cosine of" in changed.said
    assert "serves again" in changed.said or "started again" in changed.said, changed.said
    del site.models["minilm"]["accept"]
    changed = site.run("apply", "-y")
    assert changed.code == 1
    assert "its vectors are not those that it gave before" in changed.said
    assert site.run("apply", "-y", "--accept-new-vectors").code == 0
    assert site.run("verify").code == 0


def _likeness(one: list[float], other: list[float]) -> float:
    """The cosine: the server's vectors have the length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_a_reranker_gives_scores(host: LabHost, site: Site) -> None:
    """The scores mean nothing: the model is none that was made for it."""
    site.models["tiny"] = tiny(type="reranker")
    site.serve(host.name, "tiny", listen=host.address)
    site.apply()
    assert status(site)["server_type"] == "reranker"
    body = {"model": "tiny", "query": "Hello", "documents": SENTENCES}
    results = ask.post(host, PORT, "/v1/rerank", body)["results"]
    assert sorted(r["index"] for r in results) == [0, 1, 2]


def test_an_embedding_model_takes_a_text_as_long_as_its_context(host: LabHost, site: Site) -> None:
    """Beyond the engine's own batch of 512; a file without a pooling type is told before."""
    site.models["gemma"] = {
        "source": places.MODEL,
        "type": "embedding",
        "n_ctx": 1024,
        "llama": {"threads": 2},
    }
    site.serve(host.name, "gemma", listen=host.address)
    refused = site.run("plan")
    assert refused.code == 1
    assert "the model names no pooling type" in refused.said
    site.models["gemma"]["llama"]["pooling"] = "mean"
    site.apply()
    body = {"model": "gemma", "input": " ".join(["a"] * 1000)}
    answer = ask.post(host, PORT, "/v1/embeddings", body)
    assert answer["usage"]["prompt_tokens"] > 1000
    assert site.run("verify").code == 0


def test_each_request_has_the_whole_context(host: LabHost, site: Site) -> None:
    site.models["tiny"] = tiny(n_ctx=1024, llama={"parallel": None})
    site.serve(host.name, "tiny", listen=host.address)
    site.apply()
    row = status(site)
    assert (row["context_length"], row["slots"], row["shared_context"]) == (1024, 4, False)
    body = {"model": "tiny", "prompt": [264] * 903, "max_tokens": 100}
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(ask.post, host, PORT, "/v1/completions", body) for _ in range(4)]
    assert [a.result()["usage"]["prompt_tokens"] for a in asked] == [903] * 4
