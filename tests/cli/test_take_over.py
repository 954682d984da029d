"""A manifest that was copied with its `project:` removes nothing of the first one unasked."""

from __future__ import annotations

import json
import sys

import pytest

from tests.apply.conftest import MakeSite, make_site, q  # noqa: F401 - a fixture
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite, Ran

WARNING = "the last apply here was of another manifest, manifest.yaml; this is copy.yaml"
REFUSED = "refused: this would remove h/q, applied from manifest.yaml"


@pytest.fixture
def copied(make_site: MakeSite) -> FakeSite:  # noqa: F811
    """`manifest.yaml` was applied; `copy.yaml` is another one for the same host and project."""
    site: FakeSite = make_site()
    site.apply()
    manifest = site.manifest
    site.change(lambda m: m.update(hosts={"h": [q(name="r", port=8010)]}))
    (site.folder / "manifest.yaml").rename(site.folder / "copy.yaml")
    site.change_to(manifest)
    return site


def _run(site: FakeSite, *words: str) -> Ran:
    return site.run_on(site.folder / "copy.yaml", *words)


def _instances(site: FakeSite) -> list[str]:
    return sorted(site.record()["instances"])


def test_the_plan_warns_and_an_unasked_apply_is_refused(copied: FakeSite) -> None:
    assert WARNING in _run(copied, "plan").said
    ran = _run(copied, "apply", "-y")
    assert (ran.code, REFUSED in ran.said, "`--take-over`" in ran.said) == (1, True, True), ran.said
    assert _instances(copied) == ["q"]


def test_taking_over_is_asked_for_once(copied: FakeSite) -> None:
    ran = _run(copied, "apply", "-y", "--take-over")
    assert ran.code == 0, ran.said
    assert _instances(copied) == ["r"]
    assert WARNING not in _run(copied, "plan").said, "it is its own from then on"
    first = copied.run("apply", "-y")
    assert (first.code, "refused: this would remove h/r" in first.said) == (1, True)


def test_a_manifest_that_was_renamed_says_so_once(copied: FakeSite) -> None:
    """With nothing else to do."""
    (copied.folder / "manifest.yaml").rename(copied.folder / "copy.yaml")
    assert WARNING in _run(copied, "apply", "-y").said
    assert WARNING in _run(copied, "plan").said, "a host without changes is not written to"
    assert _run(copied, "apply", "-y", "--take-over").code == 0
    assert WARNING not in _run(copied, "plan").said
    assert _instances(copied) == ["q"]


@pytest.mark.parametrize(("flags", "code"), [((), 1), (("--take-over",), 0)])
def test_a_saved_plan_was_told_when_it_was_made(
    copied: FakeSite, flags: tuple[str, ...], code: int
) -> None:
    plan = copied.folder / "plan.json"
    assert _run(copied, "plan", "-o", str(plan), *flags).code == 0
    ran = copied.run_on(plan, "apply", "--take-over")
    assert (ran.code, "plan -o FILE --take-over" in ran.said) == (code, code == 1), ran.said


@pytest.mark.parametrize("answers", [(True, True), (True, False)])
def test_an_operator_is_asked_twice(
    copied: FakeSite, answers: tuple[bool, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = []
    left = iter(answers)

    def confirm(question: str) -> bool:
        questions.append(question)
        return next(left)

    monkeypatch.setattr("click.confirm", confirm)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    ran = _run(copied, "apply")
    assert len(questions) == 2
    assert "h/q, applied from manifest.yaml" in questions[1]
    assert (ran.code, _instances(copied)) == ((0, ["r"]) if all(answers) else (1, ["q"]))


def test_destroy_is_held_to_it_too(copied: FakeSite) -> None:
    ran = _run(copied, "destroy", "-y")
    assert (ran.code, REFUSED in ran.said) == (1, True), ran.said
    assert _run(copied, "destroy", "-y", "--take-over").code == 0


def test_where_nothing_is_removed_it_is_a_warning(copied: FakeSite) -> None:
    ran = _run(copied, "apply", "-y", "--limit", "r")
    assert (ran.code, WARNING in ran.said) == (0, True), ran.said
    assert _instances(copied) == ["q", "r"]


def test_maintenance_and_rollback_keep_what_is_recorded(copied: FakeSite) -> None:
    copied.change(lambda m: m["models"]["q"].update(n_ctx=512))
    copied.apply()
    before = copied.record()["origin"]
    for command in (("stop", "-y"), ("start", "-y"), ("rollback", "-y")):
        ran = _run(copied, *command)
        assert copied.record()["origin"] == before, ran.said


def test_a_record_of_an_older_version_knows_nothing(copied: FakeSite) -> None:
    record = copied.record()
    del record["origin"]
    copied.hosts["h"].files[LAYOUT.record] = json.dumps(record).encode()
    assert WARNING not in _run(copied, "plan").said
    assert _run(copied, "apply", "-y").code == 0


@pytest.mark.parametrize("path", ["a\x1b[2Jb", "[red]x[/red]", "a\nwarning  all is well"])
def test_what_a_record_says_is_shown_and_not_obeyed(copied: FakeSite, path: str) -> None:
    record = copied.record()
    record["origin"]["path"] = path
    copied.hosts["h"].files[LAYOUT.record] = json.dumps(record).encode()
    said = _run(copied, "plan").said + _run(copied, "apply", "-y").said
    assert "\x1b[2J" not in said
    assert "\nwarning  all is well" not in said
    assert "a\\nwarning" in said or "[red]x[/red]" in said or "a\\x1b[2Jb" in said


def test_the_plan_s_json_has_it(copied: FakeSite) -> None:
    plan = json.loads(_run(copied, "plan", "--json").out)
    assert plan["hosts"]["h"]["other_origin"] == {"repository": None, "path": "manifest.yaml"}
