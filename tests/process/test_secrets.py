"""Secrets of a model on this machine: what may be one, and who is told of the end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.lab.site import Site
from tests.process.test_process import _ask, _engine, _environment


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("sk-SECRET\rx", ("-y",)),
        ("sk-SECRET\rx", ("-y", "--json")),
        ("sk-SECRET\x1b[2J", ("-y",)),
        ("sk SECRET", ("-y",)),
    ],
)
def test_a_key_that_cannot_be_one_ends_the_apply_by_its_name(
    value: str, words: tuple[str, ...], site: Site, state: Path
) -> None:
    site.models["tiny"]["api_key"] = {"env": "TS_KEY"}
    site.env["TS_KEY"] = value
    done = site.run("apply", *words)
    assert done.code == 1
    assert "here/tiny: the secret from env TS_KEY (api_key) " in done.stderr
    assert "SECRET" not in done.said
    assert not list(state.rglob("record.json")), "nothing was begun"


def test_a_variable_of_several_lines_arrives_and_stays_where_it_is_not_at_hand(
    site: Site, tmp_path: Path
) -> None:
    site.models["tiny"] |= {"api_key": {"env": "TS_KEY"}, "env": {"T": {"file": "t"}}}
    site.env["TS_KEY"] = "sk-1"
    (tmp_path / "t").write_text("first\n\tsecond '\"\\\n")
    site.apply()
    assert "T=first\n\tsecond '\"\\" in _environment(_engine(site))
    (tmp_path / "t").unlink()
    del site.env["TS_KEY"]
    site.models["tiny"]["n_ctx"] = 320
    assert "secrets of 1 instance: kept, not compared" in site.apply().stdout
    assert "T=first\n\tsecond '\"\\" in _environment(_engine(site))
    assert (_ask("sk-1"), _ask()) == (200, 401)


@pytest.mark.parametrize("url", ["https://hooks.invalid/T0KEN ", "https://hooks.invalid:x/T0KEN"])
def test_a_webhook_that_cannot_be_one_is_told_first_and_fails_nothing(url: str, site: Site) -> None:
    site.top["notify"] = {"webhook": {"env": "TS_HOOK"}}
    site.env["TS_HOOK"] = url
    done = site.run("apply", "-y", "--json")
    assert done.code == 0, done.said
    assert json.loads(done.stdout.splitlines()[-1])["failed"] == 0
    (line,) = [line for line in done.stderr.splitlines() if "webhook" in line]
    assert "secret from env TS_HOOK" in line
    assert "T0KEN" not in done.said
