"""Wheels and packages in a bundle, the list of its parts, and how they are taken out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.bundle.conftest import TOOL
from tests.bundle.made import index_of
from xgen_deploy import __version__
from xgen_deploy.bundle.bill import bill
from xgen_deploy.bundle.collect import Blobs
from xgen_deploy.bundle.files import REQUIREMENTS, Wheels, packages
from xgen_deploy.bundle.index import FilePart, ModelPart
from xgen_deploy.bundle.read import Trust, open_bundle
from xgen_deploy.bundle.unpack import unpack
from xgen_deploy.bundle.write import write_bundle
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.state.artifact import Artifact, ArtifactFile


def _parts(made: tuple[FilePart, ...]) -> dict[str, FilePart]:
    return {part.file.path: part for part in made}


def test_wheels_of_a_folder(wheels: Path) -> None:
    blobs = Blobs()
    parts = _parts(Wheels(str(wheels)).add(blobs))
    own = parts[f"wheels/{TOOL}-{__version__}-py3-none-any.whl"]
    assert (own.name, own.version, own.license) == (TOOL, __version__, "MIT")
    text = blobs.sources[parts[REQUIREMENTS].file.sha256]
    assert isinstance(text, bytes)
    assert f"{TOOL}=={__version__} --hash=sha256:{own.file.sha256}\n" in text.decode()


def test_wheels_by_pip(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    chosen = Wheels(str(wheels), ("3.12",), ("manylinux2014_x86_64",))
    assert len(_parts(chosen.add(Blobs()))) == 3
    (wheels / "needed-1.5-py3-none-any.whl").unlink()
    with pytest.raises(XgenError, match=r"pip does not bring the wheels for Python 3\.12: ERROR: "):
        chosen.add(Blobs())


def test_the_tool_itself_has_to_be_among_them(wheels: Path) -> None:
    (wheels / f"{TOOL}-{__version__}-py3-none-any.whl").unlink()
    with pytest.raises(XgenError, match=f"among the wheels is none of xgen-deploy {__version__}"):
        Wheels(str(wheels)).add(Blobs())


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_what_is_no_wheel(wheels: Path, content: bytes) -> None:
    (wheels / "bad-1-py3-none-any.whl").write_bytes(content)
    with pytest.raises(XgenError, match="is no wheel"):
        Wheels(str(wheels)).add(Blobs())


def test_packages_by_pattern(tmp_path: Path) -> None:
    for name in ("a.deb", "b.deb", "c.rpm"):
        (tmp_path / name).write_text(name)
    digests = LocalDigests(tmp_path / "cache")
    parts = list(packages(Blobs(), [f"{tmp_path}/*.deb"], digests))
    assert [part.file.path for part in parts] == ["packages/a.deb", "packages/b.deb"]
    with pytest.raises(XgenError, match=r"there is no file .*\.apk"):
        list(packages(Blobs(), [f"{tmp_path}/*.apk"], digests))


def test_what_is_taken_out_can_be_installed(wheels: Path, tmp_path: Path) -> None:
    index, blobs = index_of(tmp_path, [])
    parts = Wheels(str(wheels)).add(blobs)
    index = index.model_copy(update={"files": parts, "blobs": tuple(blobs.blobs.values())})
    output = tmp_path / "site.xgen"
    write_bundle(index, blobs.sources, output, sign=None)
    there = tmp_path / "there"
    bundle = open_bundle(str(output), Trust(unsigned=True))
    names = list(unpack(bundle, there))
    assert {"manifest/xgen.yaml", REQUIREMENTS} < set(names)
    words = ["--no-index", "--require-hashes", "--quiet", "--target", str(tmp_path / "installed")]
    words += ["--find-links", str(there / "wheels"), "-r", str(there / REQUIREMENTS)]
    subprocess.run([sys.executable, "-m", "pip", "install", *words], check=True)
    assert (tmp_path / "installed/needed/__init__.py").exists()
    with pytest.raises(UsageError, match="is not empty"):
        list(unpack(bundle, there))


def test_the_list_of_parts_is_cyclonedx(wheels: Path) -> None:
    files = Wheels(str(wheels)).add(Blobs())
    file = ArtifactFile(path="q.gguf", size=5, sha256="a" * 64)
    artifact = Artifact(
        name="o/n:q.gguf", kind="hub", origin="Hugging Face", files=(file,), license="apache-2.0"
    )
    part = ModelPart(source="o/n:q.gguf", artifact=artifact, blobs=("a" * 64,))
    text = bill("p", (part,), (), files, ())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    named = {c["name"]: c for c in json.loads(text)["components"]}
    assert named["needed"]["purl"] == "pkg:pypi/needed@1.5"
    assert named["o/n:q.gguf"]["components"][0]["hashes"][0]["content"] == "a" * 64
    assert text == bill("p", (part,), (), files, ())
