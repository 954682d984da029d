"""What an apply would be kept from, found without writing."""

from pathlib import Path

import pytest

from xgen_deploy.probe.remote import commands, rights


def test_the_folder_in_which_one_would_be_made_is_looked_at(tmp_path: Path) -> None:
    link = tmp_path / "link"
    (tmp_path / "real").mkdir()
    link.symlink_to("real")
    (tmp_path / "file").write_bytes(b"")
    assert rights.existing(str(link / "a/b")) == str((tmp_path / "real").resolve())
    assert rights.existing(str(tmp_path / "file/x")) == str(tmp_path.resolve())
    assert rights.rights([str(link), str(link / "a")]) == {"unwritable": [], "exec_error": None}
    assert list((tmp_path / "real").iterdir()) == []


def test_a_closed_folder() -> None:
    """Not even root makes anything in /proc/sys, which containers have read-only."""
    (closed,) = rights.rights(["/proc/sys/none"])["unwritable"]
    assert (closed["path"], closed["at"]) == ("/proc/sys/none", "/proc/sys")
    assert closed["why"] in ("denied", "read-only")


def test_a_program_that_may_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "true").write_bytes(b"no program")
    (tmp_path / "true").chmod(0o755)
    monkeypatch.setattr(commands, "PATH", str(tmp_path))
    error = rights.exec_error()
    assert error == f"{tmp_path}/true: Exec format error"
