"""Where files lie on a host. What the probe looks for is the same: tests/probe/test_locate.py."""

from __future__ import annotations

from typing import Any

from xgen_deploy.files.places import places
from xgen_deploy.probe.remote.locate import downloaded
from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.fetch import Places

COMMIT, LARGE, SMALL = "c" * 40, "a" * 64, "b" * 40
MODEL = ArtifactFile(path="model.safetensors", size=5, sha256=LARGE, sha1=None)
CONFIG = ArtifactFile(path="config.json", size=2, sha1=SMALL)
HUB = "/srv/hf/hub/models--o--m"


def put(*files: ArtifactFile, kind: str = "hub", **more: Any) -> Places:
    values = {"name": "o/m", "kind": kind, "origin": "here", "files": files, **more}
    if kind == "hub":
        values |= {"repository": "o/m", "commit": COMMIT, "revision": more.get("revision", "main")}
    artifact = Artifact.model_validate(values)
    return places(artifact, model_dir="/srv/models/", hf_home="/srv/hf/")


def test_a_repository_lies_as_hugging_face_lays_it_out() -> None:
    got = put(MODEL, CONFIG)
    assert got.path == f"{HUB}/snapshots/{COMMIT}"
    assert got.root == "/srv/hf"
    assert [file.place for file in got.files] == [f"{HUB}/blobs/{LARGE}", f"{HUB}/blobs/{SMALL}"]
    assert [(link.path, link.target) for link in got.links] == [
        (f"{HUB}/snapshots/{COMMIT}/model.safetensors", f"../../blobs/{LARGE}"),
        (f"{HUB}/snapshots/{COMMIT}/config.json", f"../../blobs/{SMALL}"),
    ]
    assert [(text.path, text.content) for text in got.texts] == [(f"{HUB}/refs/main", COMMIT)]


def test_a_pinned_commit_needs_no_branch() -> None:
    assert put(MODEL, revision=COMMIT).texts == ()


def test_a_file_in_a_folder_and_equal_files() -> None:
    deep = ArtifactFile(path="Q8/m-00001-of-00002.gguf", size=5, sha256=LARGE)
    same = ArtifactFile(path="Q8/m-00002-of-00002.gguf", size=5, sha256=LARGE)
    got = put(deep, same, loaded=deep.path)
    assert got.path == f"{HUB}/snapshots/{COMMIT}/{deep.path}"
    assert [file.place for file in got.files] == [f"{HUB}/blobs/{LARGE}"]
    assert {link.target for link in got.links} == {f"../../../blobs/{LARGE}"}


def test_an_address_lies_where_the_probe_looks_for_it() -> None:
    url = "https://files.example.net/a/m.gguf?x=1"
    got = put(ArtifactFile(path="m.gguf", size=5, url=url), kind="url", name=url)
    assert got.path == downloaded(url, "/srv/models")
    assert got.path.endswith("/m.gguf")


def test_a_file_of_this_machine_lies_by_its_content() -> None:
    one = put(ArtifactFile(path="m.gguf", size=5, sha256=LARGE), kind="local", name="m")
    assert one.path == "/srv/models/m/aaaaaaaaaaaa/m.gguf"
    other = put(ArtifactFile(path="m.gguf", size=5, sha256="d" * 64), kind="local", name="m")
    assert other.path == "/srv/models/m/dddddddddddd/m.gguf"


def test_a_folder_of_this_machine() -> None:
    config = ArtifactFile(path="config.json", size=2, sha256="d" * 64)
    got = put(config, MODEL, kind="local", name="m")
    folder = got.path
    assert folder.startswith("/srv/models/m/")
    assert [file.place for file in got.files] == [f"{folder}/{f.path}" for f in (config, MODEL)]
    assert put(MODEL, config, kind="local", name="m").path == folder
