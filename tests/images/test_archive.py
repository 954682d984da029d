"""Archives of images, in the forms that sites have, are read into one layout."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.images.made_image import layer, legacy, oci, sha, two_layers, write
from xgen_deploy.images.archive import read_archive
from xgen_deploy.images.oci_layout import ImageError, OciLayout

MADE = two_layers()
_FORMS: dict[str, Callable[[], bytes]] = {
    "legacy": lambda: legacy(MADE),
    "oci": lambda: oci(MADE),
    "oci, zipped layers": lambda: oci(MADE, zipped=True),
    "oci without a name": lambda: oci(MADE, tag=None),
    "gzip": lambda: gzip.compress(legacy(MADE)),
    "legacy, links to a layer": lambda: _with_link(legacy(MADE)),
}


@pytest.mark.parametrize("form", _FORMS)
def test_every_form_gives_the_same_image(form: str, tmp_path: Path) -> None:
    archive = write(tmp_path, _FORMS[form]())
    layout = OciLayout(tmp_path / "layout")
    read = read_archive(archive, layout, "site/engine:1")
    assert list(read.diff_ids) == MADE.diff_ids
    assert read.config.digest == sha(MADE.config)
    assert (read.entrypoint, read.user, read.architecture) == (("/engine",), "1000", "amd64")
    assert all(layout.has(x.blob) for x in read.layers)
    layout.name(read, "site/engine:1")
    assert layout.named("site/engine:1") == read


def test_zstd(tmp_path: Path) -> None:
    zstd = pytest.importorskip("backports.zstd")
    archive = write(tmp_path, zstd.compress(legacy(MADE)))
    read = read_archive(archive, OciLayout(tmp_path / "layout"), "site/engine:1")
    assert list(read.diff_ids) == MADE.diff_ids


def test_zstd_where_no_python_module_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    archive = write(tmp_path, b"\x28\xb5\x2f\xfd" + b"x" * 100)
    with pytest.raises(ImageError, match="zstd, which this Python cannot read") as refused:
        read_archive(archive, OciLayout(tmp_path / "layout"), "site/engine:1")
    assert "unzstd" in refused.value.hint


def test_a_layer_of_two_images_is_kept_once(tmp_path: Path) -> None:
    layout = OciLayout(tmp_path / "layout")
    for made in (MADE, two_layers("site/engine:2", b"newer")):
        read_archive(write(tmp_path, oci(made)), layout, made.tag)
    # three layers, two configurations, two manifests
    assert len(list((layout.folder / "blobs/sha256").iterdir())) == 7


def _with_link(archive: bytes) -> bytes:
    """The second layer is a link to a file elsewhere in the archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in _members(archive):
            if name != "1abc/layer.tar":
                _add(tar, name, content)
                continue
            _add(tar, "shared/layer.tar", content)
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, "../shared/layer.tar"
            tar.addfile(link)
    return out.getvalue()


_WRONG = {
    "no archive": (b"not a tar" * 1000, "it is no archive of an image"),
    "cut": (oci(MADE)[:9000], "it is no archive of an image, or not all of one"),
    "another archive": (layer("file", b"x"), "neither index.json nor manifest.json"),
}


@pytest.mark.parametrize("what", _WRONG)
def test_what_is_no_image_is_refused(what: str, tmp_path: Path) -> None:
    content, said = _WRONG[what]
    layout = OciLayout(tmp_path / "layout")
    with pytest.raises(ImageError, match=said):
        read_archive(write(tmp_path, content), layout, "site/engine:1")
    assert not list(tmp_path.glob("layout/blobs/sha256/.draft*"))


def test_a_damaged_layer_is_found(tmp_path: Path) -> None:
    content = oci(MADE).replace(b"basebase", b"baseBASE", 1)
    with pytest.raises(ImageError, match="is damaged"):
        read_archive(write(tmp_path, content), OciLayout(tmp_path / "layout"), "site/engine:1")


def test_of_several_images_the_named_one_is_taken(tmp_path: Path) -> None:
    one, two = two_layers("site/engine:1"), two_layers("site/engine:2", b"newer")
    both = _joined(legacy(one), legacy(two))
    layout = OciLayout(tmp_path / "layout")
    read = read_archive(write(tmp_path, both), layout, "site/engine:2")
    assert list(read.diff_ids) == two.diff_ids
    with pytest.raises(ImageError, match=r"it has no image site/engine:3, but site/engine:1, "):
        read_archive(write(tmp_path, both), layout, "site/engine:3")


def _joined(first: bytes, second: bytes) -> bytes:
    saved, out = [], io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number, archive in enumerate((first, second)):
            for name, content in _members(archive):
                if name == "manifest.json":
                    (entry,) = json.loads(content)
                    saved.append({**entry, "Layers": [f"{number}{x}" for x in entry["Layers"]]})
                else:
                    _add(tar, f"{number}{name}" if name.endswith(".tar") else name, content)
        _add(tar, "manifest.json", json.dumps(saved).encode())
    return out.getvalue()


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None
            yield member.name, file.read()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
