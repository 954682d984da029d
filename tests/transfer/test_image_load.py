"""A host's Docker is given an image: the layers that it lacks, and nothing is believed of it."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.images.made_image import oci, two_layers, write
from tests.transfer.fake_docker import FakeDocker, listening
from xgen_deploy.files.image_blobs import image_artifact, image_load, image_places
from xgen_deploy.images.archive import read_archive
from xgen_deploy.images.oci_layout import OciLayout
from xgen_deploy.state.artifact import Artifact
from xgen_deploy.state.oci_image import OciImage, Store
from xgen_deploy.state.transfer import TransferRequest
from xgen_deploy.transfer.remote import docker_api, image_pull
from xgen_deploy.transfer.remote import image_load as remote

NAME = "site/engine:1"


@pytest.fixture
def docker(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeDocker]:
    socket = tmp_path_factory.mktemp("d") / "s"
    fake = FakeDocker()
    monkeypatch.setattr(docker_api, "SOCKET", str(socket))
    with listening(fake, socket):
        yield fake


@pytest.fixture
def image(tmp_path: Path) -> OciImage:
    archive = write(tmp_path, oci(two_layers()))
    return read_archive(archive, OciLayout(tmp_path / "layout"), NAME)


def _staged(image: OciImage, folder: Path, store: Store, there: int) -> dict[str, Any]:
    """What the program on the host is asked for, once the files are in their places."""
    blob = OciLayout(folder / "layout").blob
    artifact = image_artifact(image, NAME, "here", there, lambda digest: str(blob(digest)))
    _bring(artifact, folder)
    load = image_load(artifact, str(folder / "images"), store)
    request: dict[str, Any] = json.loads(
        TransferRequest(files=(), route="receive", image=load).line()
    )
    asked: dict[str, Any] = request["image"]
    return asked


def _bring(artifact: Artifact, folder: Path) -> None:
    places = image_places(artifact, str(folder / "images")).files
    for file, place in zip(artifact.files, places, strict=True):
        Path(place.place).parent.mkdir(parents=True, exist_ok=True)
        Path(place.place).write_bytes(Path(file.here or "").read_bytes())


def _load(asked: dict[str, Any]) -> list[str]:
    told: list[str] = []
    remote.load(asked, lambda event, **_: told.append(event))
    return told


def test_the_classic_store_gets_an_archive_of_the_new_layers(
    docker: FakeDocker, image: OciImage, tmp_path: Path
) -> None:
    _load(_staged(image, tmp_path, "classic", 1))
    (members,) = docker.loads
    base, new = (f"blobs/sha256/{layer.blob.sha256}" for layer in image.layers)
    assert new in members
    assert base not in members
    assert docker.names() == {NAME}
    assert docker.images[NAME]["Id"] == image.config.digest
    assert not list((tmp_path / "images").glob("*"))


def test_containerd_s_store_pulls_what_it_lacks(
    docker: FakeDocker, image: OciImage, tmp_path: Path
) -> None:
    docker.layers = frozenset({image.layers[0].blob.digest})
    _load(_staged(image, tmp_path, "containerd", 1))
    assert docker.got == [image.layers[1].blob.digest]
    assert docker.names() == {NAME}
    assert docker.images[NAME]["Id"] == image.manifest.digest
    assert docker.loads == []


@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_a_layer_that_was_taken_to_be_there(
    docker: FakeDocker, image: OciImage, tmp_path: Path, store: Store
) -> None:
    docker.says = "Error unpacking image"  # and reports success, as containerd's store does
    with pytest.raises(remote.NotLoaded, match="Error unpacking image") as failed:
        _load(_staged(image, tmp_path, store, 1))
    assert failed.value.thin
    assert docker.names() == set()


@pytest.mark.parametrize("how", ["hollow", "other layers", "nothing"])
def test_success_that_is_none(
    docker: FakeDocker, image: OciImage, tmp_path: Path, how: str
) -> None:
    docker.hollow = how == "hollow"
    docker.says = None if how == "hollow" else "Loaded"
    asked = _staged(image, tmp_path, "classic", 0)
    if how == "other layers":
        docker.says = None
        asked["layers"][0]["diff_id"] = "sha256:" + "0" * 64
    with pytest.raises(remote.NotLoaded) as failed:
        _load(asked)
    assert not failed.value.thin
    assert docker.names() == set()


def test_one_that_came_meanwhile_is_left_alone(
    docker: FakeDocker, image: OciImage, tmp_path: Path
) -> None:
    layers = list(image.diff_ids)
    docker.images[NAME] = {"Id": image.config.digest, "RootFS": {"Layers": layers}}
    assert _load(_staged(image, tmp_path, "classic", 0)) == []
    assert docker.loads == []


class Killed(BaseException):
    pass


@pytest.mark.parametrize("store", ["classic", "containerd"])
def test_after_a_cut_at_any_request_the_next_one_leaves_nothing_but_the_image(
    docker: FakeDocker,
    image: OciImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
) -> None:
    for at in range(1, 30):
        docker.images.clear()
        asked = _staged(image, tmp_path, store, 0)
        with monkeypatch.context() as patched:
            patched.setattr(docker_api.Connection, "connect", _killed_at(at))
            try:
                _load(asked)
            except Killed:
                _staged(image, tmp_path, store, 0)  # what of it was cleared
            else:
                break
        _load(asked)
        assert docker.names() == {NAME}, at
        assert docker.containers == {}, at
        assert not list((tmp_path / "images").glob("*")), at
    assert 5 < at < 29


def _killed_at(number: int) -> Callable[[docker_api.Connection], None]:
    """Nothing is said to Docker from this request on."""
    connect, left = docker_api.Connection.connect, [number]

    def killed(connection: docker_api.Connection) -> None:
        left[0] -= 1
        if left[0] <= 0:
            raise Killed
        connect(connection)

    return killed


def test_a_pull_with_a_login(docker: FakeDocker, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"image": "r.example/x:1", "user": "u", "password": "p w", "registry": "r.example"}
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
    image_pull.main()
    (header,) = docker.asked
    login = json.loads(base64.urlsafe_b64decode(header or ""))
    assert login == {"username": "u", "password": "p w", "serveraddress": "r.example"}
    assert "r.example/x:1" in docker.images
