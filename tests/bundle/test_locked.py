"""A lock file holds images, engine builds and models, for bundles and for hosts."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.bundle.made import Outside
from tests.hub.fake_hub import COMMIT, FakeHub, Repository, serving
from tests.images.made_image import image, layer, legacy, write
from tests.lab import tiny_model
from tests.render.scene import Scene
from tests.site_file import load_site
from xgen_deploy import frozen
from xgen_deploy.apply.artifacts import pull_images
from xgen_deploy.resolve.request import probe_request
from xgen_deploy.run.pushed_images import told_of_lock
from xgen_deploy.state.facts import EngineFacts
from xgen_deploy.state.lock_file import LockedImage, LockFile
from xgen_deploy.state.observation import Observation, observation_of
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.state.site import Site
from xgen_deploy.transport.base import Completed, Session

NAME = "site/engine:1"
ENGINE = image(layer("base", b"base" * 5000), layer("engine", b"e" * 100), tag=NAME)
NEWER = image(layer("base", b"base" * 5000), layer("engine", b"n" * 100), tag=NAME)
DIGEST = "sha256:" + "d" * 64
MODELS = "some/tiny-GGUF"


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    write(tmp_path, legacy(ENGINE), "engine.tar")
    outside.write(
        {
            "project": "p",
            "runtime": "docker",
            "pull": "push",
            "images": {"llama": {"image": NAME, "archive": "engine.tar"}},
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": "/srv/m.gguf", "backend": "llama-server-cpu"}},
            "hosts": {"a": [{"model": "m"}]},
        }
    )
    return outside


def _lock(site: Outside, *words: str) -> str:
    code, said = site.run("lock", str(site.manifest), *words)
    assert code == 0, said
    return said


def test_a_bundle_takes_the_locked_image_and_no_other(site: Outside, tmp_path: Path) -> None:
    assert f"+ {NAME}  an image, sha256:" in _lock(site)
    first = site.made()
    assert "site.lock.yaml" in [m.path for m in first.index.manifest.files]
    write(tmp_path, legacy(NEWER), "engine.tar")
    assert "stays, not looked at" in _lock(site)
    code, said = site.create()
    assert (code, "this machine's is another one than in site.lock.yaml" in said) == (1, True), said
    assert f"--update {NAME}` takes it" in said
    assert f"~ {NAME}  moved from sha256:" in _lock(site, "--update", NAME)
    assert list(site.made().index.images[0].image.diff_ids) == NEWER.diff_ids


def test_what_is_said_of_it(site: Outside, tmp_path: Path) -> None:
    (tmp_path / "engine.tar").unlink()
    (part,) = json.loads(_lock(site, "--json"))["parts"]
    assert (part["change"], part["digest"], "cannot be read" in part["reason"]) == (
        "absent", None, True,
    )  # fmt: skip
    code, said = site.run("lock", str(site.manifest), "--update", NAME)
    assert (code, f"{NAME} cannot be locked: " in said) == (1, True), said
    code, said = site.run("lock", str(site.manifest), "--update", "n")
    assert (code, "there is no model, image or archive `n`" in said) == (1, True), said
    write(tmp_path, legacy(ENGINE), "engine.tar")
    _lock(site)
    site.change(images={"llama": {"image": "site/other:1", "archive": "engine.tar"}})
    changes = {p["name"]: p["change"] for p in json.loads(_lock(site, "--json"))["parts"]}
    assert changes == {"site/other:1": "added", NAME: "removed"}


def test_an_engine_build_is_the_locked_one(site: Outside, tmp_path: Path) -> None:
    def build(content: bytes) -> None:
        (tmp_path / "llama-server").write_bytes(content)
        with tarfile.open(tmp_path / "llama.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "llama-server", "llama-server")

    build(b"one")
    binary = {"llama": {"archive": "llama.tar.gz", "path": "llama-server"}}
    local = {"ansible_connection": "local", "xgen_model_dir": str(tmp_path / "models")}
    site.change(
        runtime="process", pull=None, images=None, binaries=binary,
        inventory={"all": {"hosts": {"a": local}}},
    )  # fmt: skip
    assert "+ llama.tar.gz  sha256:" in _lock(site)
    site.made()
    build(b"another one")
    for words in (
        ("plan", str(site.manifest)),
        ("bundle", "create", str(site.manifest), "-o", "x"),
    ):
        code, said = site.run(*words)
        assert (code, "it is another file than in site.lock.yaml" in said) == (1, True), said
    assert "moved from sha256:" in _lock(site, "--update", "llama.tar.gz")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    tiny_model.write(tmp_path / "tiny.gguf")
    files = {"tiny.gguf": (tmp_path / "tiny.gguf").read_bytes()}
    with serving(FakeHub({MODELS: Repository(files)})) as started:
        yield started


def test_a_bundle_takes_the_locked_commit(site: Outside, hub: FakeHub) -> None:
    model = {"source": f"{MODELS}:tiny.gguf", "backend": "llama-server-cpu"}
    site.change(models={"m": model}, fetch={"endpoint": hub.url})
    _lock(site)
    site.made()
    hub.repositories[MODELS].commit = "d" * 40
    hub.repositories[MODELS].files["tiny.gguf"] += b"\0" * 512
    asked = len(hub.seen)
    (part,) = site.made().index.models
    assert (part.artifact.commit, len(hub.seen)) == (COMMIT, asked)


def _scene(folder: Path) -> tuple[Scene, Site]:
    """A host that pulls, and its site with a lock."""
    models = {"q": {"source": "/m/base.gguf", "backend": "llama-server-cpu"}}
    case = {"host": "cpu", "runtime": "docker", "models": models, "place": [{"model": "q"}]}
    scene = Scene({**case, "top": {"images": {"llama": NAME}}}, folder)
    content = {"ids": ["sha256:" + "1" * 64], "settings": "s", "layers": ENGINE.diff_ids}
    stated = {"name": NAME, "digest": DIGEST, "content": content}
    lock = {"xgen_lock": 1, "images": [stated]}
    (folder / "manifest.lock.yaml").write_text(yaml.safe_dump(lock))
    return scene, load_site(str(folder / "manifest.yaml"))


def test_hosts_are_asked_for_the_locked_image_and_told_apart(tmp_path: Path) -> None:
    scene, site = _scene(tmp_path)
    (request,) = probe_request(site, site.hosts["h"], scene.layout).engines
    assert request.pushed is not None
    assert list(request.pushed.layers) == ENGINE.diff_ids
    other = EngineFacts(
        backend="llama-server-cpu",
        image=NAME,
        layers_there=1,
        error=f"image {NAME} is another one on this host",
    )
    facts = frozen.replace(scene.facts, engines=(other,))
    told = told_of_lock({"h": observation_of("h", facts, scene.layout)}, site)["h"]
    assert isinstance(told, Observation)
    (engine,) = told.facts.engines
    assert "and manifest.lock.yaml has sha256:dddddddddddd" in (engine.error or "")


def test_it_is_pulled_by_its_digest(tmp_path: Path) -> None:
    scene, site = _scene(tmp_path)
    (instance,) = scene.resolved().instances
    instance = frozen.replace(instance, engine=frozen.replace(instance.engine, pull=True))
    operation = Operation(
        id="h/q", host="h", name="q", kind=Kind.CREATE, cause="", instance=instance
    )
    ran: list[list[str]] = []

    class Recording:
        def run(self, argv: list[str], **_: Any) -> Completed:
            ran.append(argv[1:])
            return Completed(0, "", "")

    plan = HostPlan(host="h", operations=(operation,))
    session = cast(Session, Recording())
    pull_images(plan, session, lambda _: None, lambda _: None, "python3", site.lock)
    pinned = f"site/engine@{DIGEST}"
    assert ran == [["pull", "--quiet", pinned], ["tag", pinned, NAME]]


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("debian", "debian"),
        ("debian:12", "debian"),
        ("r.example:5000/a/b", "r.example:5000/a/b"),
        ("r.example:5000/a/b:1", "r.example:5000/a/b"),
    ],
)
def test_the_name_by_its_digest(name: str, pinned: str) -> None:
    content = {"ids": (DIGEST,), "settings": "", "layers": ()}
    locked = LockedImage.model_validate({"name": name, "digest": DIGEST, "content": content})
    assert locked.pinned == f"{pinned}@{DIGEST}"
    assert LockFile(images=(locked,)).image("x") is None
