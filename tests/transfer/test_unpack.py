"""Archives that a host unpacks: real ones, and those that mean harm."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from xgen_deploy.transfer.remote import unpack as unpacking
from xgen_deploy.transfer.remote.unpack import BadArchive, unpack

Fill = Callable[[tarfile.TarFile], None]


def _archive(path: Path, fill: Fill, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        fill(tar)
    return path


def _file(name: str, content: bytes = b"x", mode: int = 0o600) -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), mode
        tar.addfile(entry, io.BytesIO(content))

    return fill


def _other(name: str, kind: bytes, target: str = "") -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname = kind, target
        tar.addfile(entry)

    return fill


def _all(*fills: Fill) -> Fill:
    def fill(tar: tarfile.TarFile) -> None:
        for each in fills:
            each(tar)

    return fill


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_an_engine_build(tmp_path: Path, mode: str) -> None:
    fill = _all(
        _other("./", tarfile.DIRTYPE),
        _other("./bin/libggml.so", tarfile.SYMTYPE, "libggml.so.0"),
        _file("./bin/libggml.so.0", b"library"),
        _file("./bin/llama-server", b"program", 0o4755),
    )
    folder = tmp_path / "build"
    unpack(str(_archive(tmp_path / "a", fill, mode)), str(folder))
    assert (folder / "bin/libggml.so").read_bytes() == b"library"
    modes = {p.name: p.stat().st_mode & 0o7777 for p in (folder / "bin").iterdir()}
    assert modes["llama-server"] == 0o755
    assert modes["libggml.so.0"] == 0o644


@pytest.mark.parametrize(
    ("fill", "told"),
    [
        (_file("../out"), "../out is no name beneath a folder"),
        (_file("a/../../out"), "is no name beneath a folder"),
        (_file("/etc/out"), "/etc/out is no name beneath a folder"),
        (_file("a\nb"), "a?b is no name beneath a folder"),
        (_other("l", tarfile.SYMTYPE, "/etc/passwd"), "l links to /etc/passwd"),
        (_other("d/l", tarfile.SYMTYPE, "../../out"), "links to ../../out"),
        (_other("l", tarfile.LNKTYPE, "x"), "l is a hard link (`tar --hard-dereference`"),
        (_other("null", tarfile.CHRTYPE), "null is no file, folder or link"),
        (_other("pipe", tarfile.FIFOTYPE), "pipe is no file, folder or link"),
        (_all(_file("a"), _file("a")), "a is there twice"),
        (_all(_file("a"), _file("a/b")), "a/b is there twice"),
        (_all(_file("a"), _other("a", tarfile.SYMTYPE, "b")), "a is there twice"),
    ],
)
def test_what_means_harm_is_refused(tmp_path: Path, fill: Fill, told: str) -> None:
    archive = _archive(tmp_path / "a.tar.gz", fill)
    with pytest.raises(BadArchive) as refused:
        unpack(str(archive), str(tmp_path / "build"))
    assert told in str(refused.value)
    assert {p.name for p in tmp_path.iterdir()} == {"a.tar.gz", "build"}


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """A link to a folder, and then a file beneath it."""
    fill = _all(_other("sub", tarfile.SYMTYPE, "real"), _file("sub/x"), _file("real/y"))
    with pytest.raises(BadArchive, match="sub is there twice"):
        unpack(str(_archive(tmp_path / "a", fill)), str(tmp_path / "build"))


def test_a_bomb_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "SMALL", 1 << 20)
    archive = _archive(tmp_path / "a", _file("zeros", bytes(32 << 20)))
    with pytest.raises(BadArchive, match="more than 200 times its size"):
        unpack(str(archive), str(tmp_path / "build"))
    assert (tmp_path / "build/zeros").stat().st_size <= 200 * archive.stat().st_size


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b\x08\0cut"])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(BadArchive, match="cannot be read as a tar archive"):
        unpack(str(tmp_path / "a"), str(tmp_path / "build"))


def test_one_that_is_cut(tmp_path: Path) -> None:
    archive = _archive(tmp_path / "a", _file("f", bytes(range(256)) * 4096))
    archive.write_bytes(archive.read_bytes()[:-200])
    with pytest.raises(BadArchive, match="cannot be read as a tar archive"):
        unpack(str(archive), str(tmp_path / "build"))
