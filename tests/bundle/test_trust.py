"""Whose bundles are taken: the signature is looked at before anything else is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bundle.made import allowed, content, make, new_key
from xgen_deploy.bundle.read import Trust, open_bundle
from xgen_deploy.bundle.volumes import read_head
from xgen_deploy.errors import XgenError


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return new_key(tmp_path)


def _trust(folder: Path, *keys: Path) -> Trust:
    return Trust(signers=str(allowed(folder, *keys)))


def test_a_signer_who_is_allowed(tmp_path: Path, key: Path) -> None:
    made = make(tmp_path, [content(tmp_path, 1000)], key)
    bundle = open_bundle(str(made.volumes[0]), _trust(tmp_path, new_key(tmp_path, "ben"), key))
    assert bundle.signer == "key@example.org"
    assert bundle.content(bundle.index.manifest.files[0].sha256).startswith(b"project: p")


def test_another_signer_is_refused(tmp_path: Path, key: Path) -> None:
    path = str(make(tmp_path, [], key).volumes[0])
    trust = _trust(tmp_path, new_key(tmp_path, "ben"))
    with pytest.raises(XgenError, match="not by anyone in"):
        open_bundle(path, trust)
    assert open_bundle(path, Trust(trust.signers, unsigned=True)).signer is None


def test_an_unsigned_one_is_refused(tmp_path: Path, key: Path) -> None:
    path = str(make(tmp_path, []).volumes[0])
    trust = _trust(tmp_path, key)
    with pytest.raises(XgenError, match=r"is not signed; `--allow-unsigned`"):
        open_bundle(path, trust)
    assert open_bundle(path, Trust(trust.signers, unsigned=True)).signer is None


def test_without_a_file_of_signers_nobody_is_known(tmp_path: Path, key: Path) -> None:
    path = str(make(tmp_path, [], key).volumes[0])
    with pytest.raises(XgenError, match="no file of allowed signers"):
        open_bundle(path, Trust(str(tmp_path / "none")))


def _flip(at: int) -> Callable[[bytearray], None]:
    def change(data: bytearray) -> None:
        data[at] ^= 1

    return change


@pytest.mark.parametrize("at", [64, 100, 300], ids=["first of the index", "index", "further on"])
def test_a_changed_index_is_not_read(
    tmp_path: Path, key: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path, [], key).volumes[0]
    data = bytearray(path.read_bytes())
    _flip(at)(data)
    path.write_bytes(data)
    monkeypatch.setattr("xgen_deploy.bundle.read.read_index", _never)
    with pytest.raises(XgenError, match="changed after it was signed"):
        open_bundle(str(path), _trust(tmp_path, key))


def _never(*_: object) -> None:
    raise AssertionError("it was parsed")


def test_a_head_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, []).volumes[0]
    data = bytearray(path.read_bytes())
    data[12:16] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises(XgenError, match="its head is wrong"):
        read_head(file, path)


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "no bundle"), (b"x" * 100, "no bundle"), (b"age-encryption.org/v1\n", "is encrypted")],
)
def test_what_is_no_bundle(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "site.xgen"
    path.write_bytes(data)
    with pytest.raises(XgenError, match=said):
        open_bundle(str(path), Trust(unsigned=True))
