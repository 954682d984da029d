"""Edits of a manifest that extends another, has groups and variables; and its file."""

import stat
from pathlib import Path

import pytest

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.edit.edits import (
    AddPlacement,
    Edit,
    Edited,
    RemoveField,
    RemovePlacement,
    SetField,
    ToPaste,
)
from xgen_deploy.manifest.edit.file import FileChanged, read_file, write_file
from xgen_deploy.manifest.edit.of_site import Manifest, edited_site

BASE = """\
project: p
inventory: {all: {hosts: {a: {xgen_vars: {ctx: 1024}}}, children: {gpu: {hosts: {a: , b: }}}}}
models:
  m: {source: /m.gguf, n_ctx: 4096, llama: {parallel: 4, flash_attn: on}}
  k: {source: /k.gguf}
hosts:
  gpu:
    - {model: m, gpus: [0], n_ctx: "${ctx}"}
  b:
    - model: k
"""
SITE = """\
extends: base.yaml
hosts:
  a:
    - model: k      # ours
"""


def _result(folder: Path, *edits: Edit, site: str = SITE) -> Edited | ToPaste:
    (folder / "base.yaml").write_text(BASE)
    (folder / "site.yaml").write_text(site)
    manifest = Manifest(str(folder / "site.yaml"), engine_words(), variables=("ctx=2048",))
    return edited_site(manifest, site, edits)


EDITED = {
    "a field of a group's placement": (
        SetField("a", "m", "m", ("n_ctx",), 512),
        "    - model: m\n      n_ctx: 512\n",
    ),
    "a field of another host's, from the file below": (
        SetField("b", "k", "k", ("llama", "parallel"), 2),
        "  b:\n    - model: k\n      llama: {parallel: 2}\n",
    ),
    "a field that the model states": (
        SetField("a", "m", "m", ("llama", "parallel"), 2),
        "    - model: m\n      llama: {parallel: 2}\n",
    ),
    "a new placement": (
        AddPlacement("b", {"model": "m", "name": "m2", "gpus": [0], "n_ctx": 9}),
        "  b:\n    - model: m\n      name: m2\n      gpus: [0]\n      n_ctx: 9\n",
    ),
}


@pytest.mark.parametrize(("edit", "added"), EDITED.values(), ids=EDITED)
def test_what_comes_from_elsewhere_is_overridden_for_the_host(
    tmp_path: Path, edit: Edit, added: str
) -> None:
    result = _result(tmp_path, edit)
    assert isinstance(result, Edited), result
    assert result.text == SITE + added


def test_the_last_own_placement_leaves_those_of_the_group(tmp_path: Path) -> None:
    """`a: []` would clear them."""
    assert _result(tmp_path, RemovePlacement("a", "k")) == Edited("extends: base.yaml\n")


def test_without_an_own_field_the_group_s_holds_again(tmp_path: Path) -> None:
    site = SITE + "  b:\n    - {model: m, n_ctx: 7}\n"
    result = _result(tmp_path, RemoveField("b", "m", ("n_ctx",)), site=site)
    assert result == Edited(site.replace(", n_ctx: 7", ""))


OFFERED = {
    "a placement of a group": (
        RemovePlacement("a", "m"),
        "it is written in a group's entry or in another file; change it there",
    ),
    "one that a group places too": (
        RemovePlacement("b", "m"),
        "it is placed by a group or another file too; take it out there",
    ),
    "one that is there already": (
        AddPlacement("a", {"model": "m"}),
        "a has an instance `m` already",
    ),
    "one that is not there": (
        SetField("a", "q", "m", ("n_ctx",), 1),
        "a has no instance `q`",
    ),
    "a field that another file states": (
        RemoveField("b", "m", ("gpus",)),
        "it is not written there",
    ),
}


@pytest.mark.parametrize(("edit", "reason"), OFFERED.values(), ids=OFFERED)
def test_what_would_not_have_that_effect_is_not_done(
    tmp_path: Path, edit: Edit, reason: str
) -> None:
    site = SITE + "  b:\n    - {model: m, n_ctx: 7}\n    - {model: k}\n"
    result = _result(tmp_path, edit, site=site)
    assert isinstance(result, ToPaste)
    assert result.reason == reason


def test_a_host_that_clears_its_group_is_not_given_that_back(tmp_path: Path) -> None:
    result = _result(
        tmp_path,
        AddPlacement("a", {"model": "k"}),
        site="extends: base.yaml\nhosts:\n  a: []\n",
    )
    assert isinstance(result, ToPaste)
    assert result.reason == "it would change a/m as well"
    assert result.snippet == "hosts:\n  a:\n    - model: k\n"


def test_a_value_that_the_schema_refuses_is_told(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="n_ctx"):
        _result(tmp_path, SetField("a", "m", "m", ("n_ctx",), -3))


def test_several_edits_come_one_after_another(tmp_path: Path) -> None:
    result = _result(
        tmp_path,
        SetField("a", "k", "k", ("n_ctx",), 1),
        SetField("a", "k", "k", ("gpus",), [1]),
        RemovePlacement("a", "k"),
        AddPlacement("b", {"model": "m", "name": "x"}),
    )
    assert isinstance(result, Edited)
    assert "name: x" in result.text


def test_the_file_is_written_in_one_step_with_its_mode_and_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "site.yaml"
    real.write_bytes(b"\xef\xbb\xbfproject: p\r\n")
    real.chmod(0o640)
    link.symlink_to(real)
    file = read_file(str(link))
    write_file(str(link), file.with_text(file.text + "models: {}\r\n"), file.content)
    assert link.is_symlink()
    assert real.read_bytes() == b"\xef\xbb\xbfproject: p\r\nmodels: {}\r\n"
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.yaml", "site.yaml"]


def test_a_file_that_somebody_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("project: p\n")
    file = read_file(str(path))
    path.write_text("project: theirs\n")
    with pytest.raises(FileChanged, match="changed meanwhile"):
        write_file(str(path), b"project: ours\n", file.content)
    assert path.read_text() == "project: theirs\n"
    assert list(tmp_path.iterdir()) == [path]
