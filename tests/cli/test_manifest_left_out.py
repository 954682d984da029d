"""Which manifest a command takes where none is written, and what its first argument is."""

from pathlib import Path

import pytest

from tests.apply.conftest import MakeSite
from tests.cli.call import Capsys, call

MANIFEST = (
    "project: p\nmodels: {q: {source: /m/q.gguf}}\nimages: {llama: i}\nhosts: {h: [{model: q}]}\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XGEN_MANIFEST", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_the_variable_s_else_the_usual_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    code, said = call(capsys, "validate")
    assert code == 1
    for part in (
        "no manifest is named",
        "$XGEN_MANIFEST",
        "xgen.yaml",
        "xgen-deploy validate FILE",
    ):
        assert part in said
    (folder / "xgen.yaml").write_text(MANIFEST)
    assert call(capsys, "validate") == (0, "xgen.yaml: valid: 1 instance on 1 host\n")
    (folder / "other.yml").write_text(MANIFEST)
    monkeypatch.setenv("XGEN_MANIFEST", "other.yml")
    assert call(capsys, "validate")[1].startswith("other.yml: valid")
    assert call(capsys, "validate", "xgen.yaml")[1].startswith("xgen.yaml: valid")
    monkeypatch.setenv("XGEN_MANIFEST", "gone.yml")
    assert "$XGEN_MANIFEST is gone.yml, which does not exist" in call(capsys, "validate")[1]


def test_what_is_not_named_like_a_manifest_is_none(folder: Path, capsys: Capsys) -> None:
    (folder / "xgen.yaml").write_text(MANIFEST)
    (folder / "site").write_text(MANIFEST)
    for words in (("validate", "site"), ("plan", "site"), ("stop", "manifests/site")):
        code, said = call(capsys, *words)
        assert code == 1
        assert "is not named like a manifest: its name ends in .yaml, .yml or .json" in said
    code, said = call(capsys, "stop", "nosuch", "-y")
    assert (code, "there is no instance" in said) == (1, True), said


@pytest.mark.parametrize("command", ["destroy", "rollback"])
def test_what_removes_or_undoes_always_needs_it_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys, command: str
) -> None:
    (folder / "xgen.yaml").write_text(MANIFEST)
    monkeypatch.setenv("XGEN_MANIFEST", "xgen.yaml")
    code, said = call(capsys, command, "-y")
    assert (code, f"{command} has no usual manifest" in said) == (1, True)
    assert "Usage: xgen-deploy " + command in call(capsys, command, "--help")[1]


def test_it_runs_as_if_started_in_another_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "xgen.yaml").write_text(MANIFEST)
    assert call(capsys, "-C", "a", "-C", "b", "validate")[0] == 0
    assert Path.cwd() == folder / "a" / "b"
    code, said = call(capsys, "-C", "gone", "validate")
    assert (code, "-C gone: No such file or directory" in said) == (1, True)


def test_a_change_with_a_folder_before_it_is_still_one(folder: Path) -> None:
    from xgen_deploy.cli.main import command_of

    for words in (["-C", "apply", "status"], ["-Capply", "status"], ["status", "apply"]):
        assert command_of(words) == "status"
    assert command_of(["-C", "x", "apply"]) == "apply"
    assert command_of(["--help"]) == ""


def test_what_to_record_follows_its_word(folder: Path, capsys: Capsys) -> None:
    (folder / "xgen.yaml").write_text(MANIFEST)
    for words in (("record", "nosuch"), ("record", "xgen.yaml", "nosuch")):
        code, said = call(capsys, "accept", *words)
        assert (code, "nosuch" in said) == (1, True), said


def test_help_needs_no_manifest(folder: Path, capsys: Capsys) -> None:
    assert "Usage: xgen-deploy logs [OPTIONS] [MANIFEST] [INST" in call(capsys, "logs", "-h")[1]


def test_names_of_instances_follow_a_manifest_that_is_left_out(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    site = make_site()
    site.apply()
    monkeypatch.setenv("XGEN_MANIFEST", str(site.folder / "manifest.yaml"))
    assert call(capsys, "stop", "q", "-y")[0] == 0
    assert "q" in site.record()["instances"]
    assert "stopped" in call(capsys, "status")[1]
    assert call(capsys, "start", "-y", "q")[0] == 0
    assert "nothing to do" in call(capsys, "plan")[1]
