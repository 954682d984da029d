"""What a model must answer before a change counts, and vectors that must stay as they were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite

NEW = "--ctx-size 8192"


def one_way(text: str) -> list[float]:
    return [1.0, len(text) / 100, 0.5]


def nearly(text: str) -> list[float]:
    return [1.0, len(text) / 100, 0.501]


def another_way(text: str) -> list[float]:
    return [-1.0, len(text) / 100, 0.5]


def embedding(make_site: MakeSite, **fields: Any) -> FakeSite:
    site = make_site(models={"q": {**MODEL, "type": "embedding", **fields}})
    site.hosts["h"].engines["--alias q"] = Engine(vector=one_way)
    return site


def language(make_site: MakeSite, **accept: Any) -> FakeSite:
    site = make_site(models={"q": {**MODEL, "accept": accept}})
    site.hosts["h"].engines["--alias q"] = Engine(text="The capital is Paris.")
    return site


def then(site: FakeSite, **engine: Any) -> None:
    """The next version of the engine is this one."""
    host = site.hosts["h"]
    host.engines = {NEW: Engine(**engine), **host.engines}
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))


def context(site: FakeSite) -> list[int]:
    return [p.context for p in site.hosts["h"].running()]


@pytest.mark.parametrize(
    ("accept", "said"),
    [
        ({"prompt": "Capital of France?", "expect": "Paris"}, ""),
        ({"prompt": "Capital of France?", "pattern": r"\bP\w+s\b"}, ""),
        ({"prompt": "Capital of France?", "expect": "Paris", "raw": True}, ""),
        ({"prompt": "Capital of France?", "expect": "Lyon"}, "expected `Lyon`, the answer was"),
        ({"prompt": "Capital of France?", "pattern": "^Lyon"}, "`^Lyon` is not in the answer"),
    ],
)
def test_prompts_are_asked_before_a_change_counts(
    make_site: MakeSite, accept: dict[str, Any], said: str
) -> None:
    site = language(make_site, prompts=[accept])
    whole = site.apply(code=1 if said else 0)
    assert said in whole
    assert ("is not accepted" in whole) is bool(said)
    if not said:
        assert site.run("verify").code == 0


def test_a_version_that_answers_otherwise_is_put_back(make_site: MakeSite) -> None:
    site = language(make_site, prompts=[{"prompt": "Capital of France?", "expect": "Paris"}])
    site.apply()
    then(site, text="I am a teapot.")
    said = site.apply(code=1)
    assert "the answer to `Capital of France?` is not accepted: expected `Paris`" in said
    assert context(site) == [2048]
    site.change(lambda m: m["models"]["q"].update(n_ctx=2048))
    assert site.pending_operations() == []


def test_verify_asks_too(make_site: MakeSite) -> None:
    site = language(make_site, prompts=[{"prompt": "Capital of France?", "expect": "Paris"}])
    site.apply()
    site.change(lambda m: m["models"]["q"]["accept"]["prompts"][0].update(expect="Rome"))
    assert site.pending_operations() == []
    ran = site.run("verify")
    assert (ran.code, "h/q  accepted answers: the answer to" in ran.said) == (1, True), ran.said


def test_other_vectors_fail_the_gate_until_they_are_accepted(make_site: MakeSite) -> None:
    site = embedding(make_site)
    site.apply()
    kept = site.hosts["h"].files[LAYOUT.vectors("q")]
    then(site, vector=another_way)
    said = site.apply(code=1)
    assert "its vectors are not those that it gave before: the vector of `The invoice" in said
    assert "`--accept-new-vectors` accepts the new ones" in said
    assert context(site) == [2048]
    assert site.hosts["h"].files[LAYOUT.vectors("q")] == kept
    ran = site.run("apply", "-y", "--accept-new-vectors")
    assert (ran.code, context(site)) == (0, [4096])
    assert site.hosts["h"].files[LAYOUT.vectors("q")] != kept
    assert site.run("verify").code == 0
    assert site.run("restart", "q", "-y").code == 0
    assert "not those" in site.run("rollback", "--to", "1", "-y").said
    assert site.run("rollback", "--to", "1", "-y", "--accept-new-vectors").code == 0


def test_vectors_that_are_nearly_the_same_pass_and_the_first_ones_stay(
    make_site: MakeSite,
) -> None:
    site = embedding(make_site)
    site.apply()
    kept = site.hosts["h"].files[LAYOUT.vectors("q")]
    then(site, vector=nearly)
    site.apply()
    assert (context(site), site.hosts["h"].files[LAYOUT.vectors("q")]) == ([4096], kept)


def test_verify_holds_vectors_against_those_kept(make_site: MakeSite) -> None:
    site = embedding(make_site)
    site.apply()
    assert site.run("verify").code == 0
    for process in site.hosts["h"].running():
        process.engine = Engine(vector=another_way)
    ran = site.run("verify")
    assert (ran.code, "h/q  vectors as before: the vector of" in ran.said) == (1, True)


def test_an_instance_of_an_older_version_is_asked_before_its_first_change(
    make_site: MakeSite,
) -> None:
    site = embedding(make_site)
    site.apply()
    del site.hosts["h"].files[LAYOUT.vectors("q")]
    then(site, vector=another_way)
    assert "its vectors are not those" in site.apply(code=1)


@pytest.mark.parametrize(
    "damaged", [b"", b"[]", b"{", b'{"model": "q", "texts": [], "vectors": []}']
)
def test_what_a_host_says_it_kept_is_data(make_site: MakeSite, damaged: bytes) -> None:
    site = embedding(make_site)
    site.apply()
    site.hosts["h"].files[LAYOUT.vectors("q")] = damaged
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    site.apply()
    assert site.hosts["h"].files[LAYOUT.vectors("q")] != damaged


def test_they_leave_with_the_instance(make_site: MakeSite) -> None:
    site = embedding(make_site)
    site.apply()
    site.change(lambda m: m["hosts"].update(h=[]))
    site.apply()
    assert LAYOUT.vectors("q") not in site.hosts["h"].files


def record(site: FakeSite, *words: str) -> Any:
    return site.call("accept", "record", str(site.folder / "manifest.yaml"), *words)


def test_record_writes_what_is_served_and_the_gate_holds_to_it(make_site: MakeSite) -> None:
    site = embedding(make_site, accept={"file": "accept.json"})
    assert "there is no file" in site.run("validate").said
    site.apply()
    ran = record(site)
    assert ran.code == 0, ran.said
    assert f"q: 4 vectors of h/q are in {site.folder}/accept.json" in ran.said
    assert "there is no file" not in site.run("validate").said
    assert site.pending_operations() == []
    assert site.run("verify").code == 0
    then(site, vector=another_way)
    ran = site.run("apply", "-y", "--accept-new-vectors")
    assert ran.code == 1
    assert "has a cosine of" in ran.said


def test_record_keeps_prompts_and_patterns(make_site: MakeSite) -> None:
    site = language(make_site, file="accept.json")
    site.apply()
    prompts = [{"prompt": "A", "expect": "old"}, {"prompt": "B", "pattern": "Paris"}]
    file = site.folder / "accept.json"
    file.write_text(json.dumps({"models": {"q": {"prompts": prompts}, "r": {}}}))
    assert record(site, "q").code == 0
    whole = json.loads(file.read_text())["models"]
    assert [p["prompt"] for p in whole["q"]["prompts"]] == ["A", "B"]
    assert whole["q"]["prompts"][0]["expect"] == "The capital is Paris."
    assert whole["q"]["prompts"][1]["pattern"] == "Paris"
    assert "r" in whole


def test_record_needs_a_file_and_an_instance_that_serves(make_site: MakeSite) -> None:
    site = language(make_site)
    ran = record(site, "q")
    assert (ran.code, "name the file in the manifest" in ran.said) == (1, True)
    site.change(lambda m: m["models"]["q"].update(accept={"file": "accept.json"}))
    ran = record(site)
    assert (ran.code, "no instance of q could be asked: h/q: it does not serve" in ran.said) == (
        1,
        True,
    )
    assert "no model `x`" in record(site, "x").said


def test_a_damaged_file_is_an_error_with_its_name(make_site: MakeSite) -> None:
    site = language(make_site, file="accept.json")
    (site.folder / "accept.json").write_text('{"models": {"q": {"prompts": [{"prompt": 1}]}}}')
    ran = site.run("validate")
    assert (ran.code, "is not what `accept record` writes" in ran.said) == (1, True)


def test_nothing_of_it_is_in_a_record(make_site: MakeSite) -> None:
    site = language(make_site, prompts=[{"prompt": "Capital of France?", "expect": "Paris"}])
    site.apply()
    assert "Capital" not in json.dumps(site.record())
