"""Models that do not write: vectors and scores from the real engine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import ask, minilm
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
