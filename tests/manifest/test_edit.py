"""Edits of a manifest's text: what differs afterwards, to the letter."""

import difflib
from pathlib import Path
from typing import Any

import pytest

from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.edit.edit import as_data, edited
from xgen_deploy.manifest.edit.edits import (
    AddPlacement,
    Edit,
    Edited,
    RemoveField,
    RemovePlacement,
    SetField,
    ToPaste,
)

CASES = Path(__file__).parent / "cases/edits"
Case = dict[str, Any]


def _cases(name: str) -> list[Any]:
    cases: dict[str, Case] = as_data((CASES / name).read_text())  # type: ignore[assignment]
    return [pytest.param(case, id=title) for title, case in cases.items()]


def _edit(case: Case) -> Edit:
    name = case.get("name", "m")
    if "set" in case:
        path = tuple(case["set"]["path"].split("."))
        return SetField("gpu-01", name, "m", path, case["set"]["value"])
    if "add" in case:
        return AddPlacement("gpu-01", case["add"])
    if case["remove"] is True:
        return RemovePlacement("gpu-01", name)
    return RemoveField("gpu-01", name, tuple(case["remove"].split(".")))


def _changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("@@", "---", "+++"))]


@pytest.mark.parametrize("case", _cases("fields.yaml") + _cases("placements.yaml"))
def test_only_the_lines_that_change_differ(case: Case) -> None:
    result = edited(case["text"], _edit(case))
    assert isinstance(result, Edited), result
    assert _changed_lines(case["text"], result.text) == case["diff"].splitlines()


@pytest.mark.parametrize("case", _cases("fields.yaml") + _cases("placements.yaml"))
def test_the_ends_of_lines_are_kept(case: Case) -> None:
    text = case["text"].replace("\n", "\r\n")
    result, plain = edited(text, _edit(case)), edited(case["text"], _edit(case))
    assert isinstance(result, Edited)
    assert isinstance(plain, Edited)
    assert result.text == plain.text.replace("\n", "\r\n")


PASTED = "hosts:\n  gpu-01:\n    - model: m\n      n_ctx: 1\n"
REFUSED = {
    "the placement is an alias": (
        "x: &p {model: m}\nhosts: {gpu-01: [*p]}\n",
        None,
    ),
    "the value has an anchor that others use": (
        "hosts: {gpu-01: [{model: m, n_ctx: &c 2}, {model: n, n_ctx: *c}]}\n",
        "the edited text would not say what was meant",
    ),
    "a comment within the value": (
        "hosts:\n  gpu-01:\n  - model: m\n    n_ctx:\n    - 1\n    # why\n    - 2\n",
        "a comment stands between what has to change",
    ),
    "a file that is empty but for a comment": ("# nothing\n", "the file is empty"),
}


@pytest.mark.parametrize(("text", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_edited_is_offered_to_be_pasted(text: str, reason: str | None) -> None:
    values: object = [3] if "- 2" in text else 1
    result = edited(text, SetField("gpu-01", "m", "m", ("n_ctx",), values))
    if reason is None:
        assert isinstance(result, Edited)  # its own value, in place of the alias
        assert "{gpu-01: [{model: m, n_ctx: 1}]}" in result.text
        return
    assert isinstance(result, ToPaste)
    assert result.reason == reason
    assert result.snippet == PASTED.replace("1\n", "[3]\n" if "- 2" in text else "1\n")


def test_what_others_would_refuse_is_not_written() -> None:
    text = "project: p\nhosts: {gpu-01: [{model: m}]}\n"
    result = edited(text, RemovePlacement("gpu-01", "m"), lambda text: "no" * ("[]" in text))
    assert result == Edited("project: p\n")


def test_a_text_that_is_no_yaml_is_an_error() -> None:
    with pytest.raises(ManifestError):
        edited("hosts: [", RemovePlacement("gpu-01", "m"))
