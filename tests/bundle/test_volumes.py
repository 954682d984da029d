"""A bundle in several files, cut, copied badly, and gone on with."""

from pathlib import Path

import pytest

from tests.bundle.made import content, index_of, make
from xgen_deploy.bundle.index import CHUNK
from xgen_deploy.bundle.read import Bundle, Damage, Trust, open_bundle
from xgen_deploy.bundle.write import write_bundle
from xgen_deploy.errors import XgenError

VOLUME = 1 << 20
UNSIGNED = Trust(unsigned=True)


def _open(path: Path) -> Bundle:
    return open_bundle(str(path), UNSIGNED)


def _read(bundle: Bundle, number: int) -> bytes:
    return bundle.content(bundle.index.files[number].file.sha256)


def _damages(bundle: Bundle) -> list[Damage]:
    return [d for d in bundle.damages() if isinstance(d, Damage)]


def test_it_is_split_and_read_as_one(tmp_path: Path) -> None:
    files = [content(tmp_path, 5 * VOLUME // 2), content(tmp_path, 700), content(tmp_path, 0)]
    made = make(tmp_path, files, volume_size=VOLUME)
    assert [p.name for p in made.volumes] == [f"site.xgen{n}" for n in ("", ".2", ".3")]
    assert max(p.stat().st_size for p in made.volumes) <= VOLUME
    bundle = _open(made.volumes[0])
    assert [_read(bundle, n) for n in range(3)] == [f.read_bytes() for f in files]
    assert not _damages(bundle)
    assert made.volumes[0].stat().st_mode & 0o077 == 0


def test_a_flipped_byte_is_found_and_named(tmp_path: Path) -> None:
    made = make(tmp_path, [content(tmp_path, CHUNK + VOLUME), content(tmp_path, 10)])
    path = made.volumes[0]
    with path.open("r+b") as file:
        file.seek(-VOLUME // 2, 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    (damage,) = _damages(_open(path))
    assert (damage.chunk, damage.blob.size) == (1, CHUNK + VOLUME)
    (extent,) = damage.extents
    assert extent.path == path
    assert extent.length == VOLUME


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ("missing", "volume 2 of 3 is not there"),
        ("cut", "only a part of its volume"),
        ("another", "a volume of another bundle"),
    ],
)
def test_a_volume_that_does_not_fit(tmp_path: Path, harm: str, said: str) -> None:
    made = make(tmp_path, [content(tmp_path, 5 * VOLUME // 2)], volume_size=VOLUME)
    second, third = made.volumes[1:]
    if harm == "missing":
        second.unlink()
    else:
        data = second.read_bytes()[:-1] if harm == "cut" else third.read_bytes()
        second.write_bytes(data)
    with pytest.raises(XgenError, match=said):
        _open(made.volumes[0])


def test_another_volume_than_the_first_names_it(tmp_path: Path) -> None:
    made = make(tmp_path, [content(tmp_path, 2 * VOLUME)], volume_size=VOLUME)
    with pytest.raises(XgenError, match=r"volume 2 of a bundle; name the first, .*site\.xgen$"):
        _open(made.volumes[1])


class Cut(Exception):
    """The process ends."""


def test_what_was_cut_is_gone_on_with(tmp_path: Path) -> None:

    files = [content(tmp_path, n * VOLUME) for n in (1, 2, 3)]
    index, blobs = index_of(tmp_path, files, serial=1)
    output, signed = tmp_path / "site.xgen", []

    def sign(data: bytes) -> bytes:
        signed.append(data)
        return b"signature"

    def cut(count: int) -> None:
        if count == 2 * VOLUME:
            raise Cut

    with pytest.raises(Cut):
        write_bundle(index, blobs.sources, output, sign=sign, tell=cut)
    assert not output.exists()
    later, blobs = index_of(tmp_path, files, serial=2)
    made = write_bundle(later, blobs.sources, output, sign=sign)
    assert len(signed) == 1  # the index that was begun with
    assert made.index.serial == 1
    assert made.resumed >= 3 * VOLUME
    bundle = open_bundle(str(output), None)
    assert not _damages(bundle)
    assert sorted(p.name for p in tmp_path.iterdir() if "xgen" in p.name) == ["site.xgen"]


def test_other_parts_than_before_begin_anew(tmp_path: Path) -> None:
    index, blobs = index_of(tmp_path, [content(tmp_path, VOLUME)])
    output = tmp_path / "site.xgen"

    def cut(_: int) -> None:
        raise Cut

    with pytest.raises(Cut):
        write_bundle(index, blobs.sources, output, sign=None, tell=cut)
    other, blobs = index_of(tmp_path, [content(tmp_path, 2000)])
    made = write_bundle(other, blobs.sources, output, sign=None)
    assert len(made.index.files) == 1
    assert not _damages(_open(output))


def test_a_file_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    path = content(tmp_path, 5000)
    index, blobs = index_of(tmp_path, [path])
    path.write_bytes(b"x" * 5000)
    with pytest.raises(XgenError, match="changed while it was read"):
        write_bundle(index, blobs.sources, tmp_path / "site.xgen", sign=None)
