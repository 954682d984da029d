"""Images in a bundle: each layer once, without those that the site has; hosts are sent them as if
they were on this machine."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.bundle.made import Outside
from tests.images.made_image import image, layer, legacy, oci, two_layers, write
from tests.lab import tiny_model
from tests.render.scene import Scene
from tests.site_file import load_site
from tests.transfer.fake_docker import FakeDocker, listening
from xgen_deploy import frozen
from xgen_deploy.bundle.image_catalog import BundleImages
from xgen_deploy.bundle.read import Bundle
from xgen_deploy.hub.catalog import Catalog
from xgen_deploy.hub.local_digests import LocalDigests
from xgen_deploy.run.lacking import wanted_models, with_lacking
from xgen_deploy.run.local_sources import with_local_sources
from xgen_deploy.run.pushed_images import pushed_images, with_lacking_images
from xgen_deploy.state.facts import EngineFacts, ModelFacts
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.observation import Observation, observation_of
from xgen_deploy.transfer.remote.web_source import Access

BASE = layer("base", b"base" * 50_000)
ENGINE = image(BASE, layer("engine", b"e" * 100), tag="site/engine:1")
PROXY = image(BASE, layer("haproxy", b"h" * 100), tag="site/haproxy:3")


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    """Of two hosts with Docker, one of them the gateway's."""
    write(tmp_path, legacy(ENGINE), "engine.tar")
    write(tmp_path, oci(PROXY), "haproxy.tar")
    outside.write(
        {
            "project": "p",
            "runtime": "docker",
            "pull": "push",
            "images": {
                "llama": {"image": ENGINE.tag, "archive": "engine.tar"},
                "haproxy": {"image": PROXY.tag, "archive": "haproxy.tar"},
            },
            "gateway": {"host": "a"},
            "inventory": {"all": {"hosts": {"a": {}, "b": {}}}},
            "models": {"m": {"source": "/srv/m.gguf", "backend": "llama-server-cpu"}},
            "hosts": {"a": [{"model": "m"}], "b": [{"model": "m"}]},
        }
    )
    return outside


def test_each_layer_is_in_it_once(site: Outside) -> None:
    bundle = site.made()
    assert {p.name for p in bundle.index.images} == {ENGINE.tag, PROXY.tag}
    for made in (ENGINE, PROXY):
        part = next(p for p in bundle.index.images if p.name == made.tag)
        assert list(part.image.diff_ids) == made.diff_ids
        for blob in part.image.blobs:
            assert len(bundle.content(blob.sha256)) == blob.size
    assert len(BASE) < bundle.index.size < 2 * len(BASE)


def test_the_proxy_s_image_is_left_out_where_no_host_is_a_gateway(site: Outside) -> None:
    site.change(gateway=None)
    bundle = site.made()
    assert [p.name for p in bundle.index.images] == [ENGINE.tag]


def test_layers_that_all_hosts_have_are_left_out(site: Outside, tmp_path: Path) -> None:
    whole = site.made()
    have = tmp_path / "have.json"
    newer = image(BASE, layer("engine", b"newer"))
    had = {"a": [newer.diff_ids, ["sha256:" + "0" * 64]], "b": [newer.diff_ids[:1]]}
    _write_have(have, had)
    bundle = site.made("--have", str(have))
    assert bundle.index.size < whole.index.size - len(BASE) + 5000
    assert [b.size for b in bundle.index.blobs if not b.held] == [len(BASE)]
    # Layers lie upon each other: of no use where the first one is another.
    _write_have(have, {"a": [newer.diff_ids], "b": [["sha256:" + "0" * 64, *newer.diff_ids]]})
    assert site.made("--have", str(have)).index.size > len(BASE)


def _write_have(path: Path, images: dict[str, list[list[str]]]) -> None:
    hosts = {name: {"digests": [], "images": found} for name, found in images.items()}
    path.write_text(json.dumps({"xgen_have": 1, "project": "p", "at": 1, "hosts": hosts}))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"images": {"llama": {"image": "site/engine:1", "archive": "none.tar"}}},
            "cannot be read",
        ),
        (
            {"pull": "missing", "images": {"llama": f"site/engine@sha256:{'0' * 64}"}},
            "cannot go into a bundle, for only a registry gives an image its digest",
        ),
    ],
)
def test_an_image_that_cannot_be_had(site: Outside, values: dict[str, object], said: str) -> None:
    site.change(**values)
    code, printed = site.create()
    assert (code, said in printed) == (1, True), printed


@pytest.fixture
def docker(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeDocker]:
    """This machine's own."""
    socket = tmp_path_factory.mktemp("d") / "s"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{socket}")
    monkeypatch.setenv("REGISTRY", "password")
    fake = FakeDocker(registry={f"registry.example/{ENGINE.tag}": legacy(ENGINE)})
    with listening(fake, socket):
        yield fake


def test_this_machine_s_docker_pulls_what_hosts_would_pull(
    site: Outside, docker: FakeDocker
) -> None:
    name = f"registry.example/{ENGINE.tag}"
    login = {"registry.example": {"user": "u", "password": {"env": "REGISTRY"}}}
    site.change(pull="missing", images={"llama": name}, registries=login, gateway=None)
    (part,) = site.made().index.images
    assert (part.name, list(part.image.diff_ids)) == (name, ENGINE.diff_ids)
    (header,) = docker.asked
    assert "password" in base64.urlsafe_b64decode(header or "").decode()
    assert site.made().index.images == (part,)
    assert len(docker.asked) == 1
    site.change(images={"llama": "registry.example/other:1"})
    code, said = site.create()
    assert (code, "does not pull registry.example/other:1: " in said) == (1, True), said


def test_what_the_manifest_leaves_to_hosts_is_listed(site: Outside) -> None:
    site.change(pull="never", images={"llama": "site/engine:1"})
    assert not site.made().index.images
    _, said = site.create()
    assert "not in it          a: image site/engine:1, which `pull: never` leaves to" in said
    assert "not in it          a: HAProxy, at /usr/sbin/haproxy" in said


def _on_host(bundle: Bundle, there: int, folder: Path) -> Observation:
    """What is planned for a host whose Docker has so many layers of the image."""
    place = [{"model": "m"}]
    models = {"m": {"source": "/m/base.gguf", "backend": "llama-server-cpu"}}
    top = {"pull": "push", "images": {"llama": ENGINE.tag}}
    case = {"host": "cpu", "runtime": "docker", "models": models, "place": place, "top": top}
    scene = Scene(case, folder)
    lacking = EngineFacts(
        backend="llama-server-cpu",
        image=ENGINE.tag,
        layers_there=there,
        error=f"image {ENGINE.tag} is not on this host",
    )
    facts = frozen.replace(scene.facts, engines=(lacking,))
    images = BundleImages(bundle)
    observed = {"h": observation_of("h", facts, scene.layout)}
    completed = with_lacking_images(observed, pushed_images(scene.site, images), images)["h"]
    assert isinstance(completed, Observation)
    return completed


def test_a_host_is_sent_what_it_lacks_out_of_the_bundle(site: Outside, tmp_path: Path) -> None:
    bundle = site.made()
    planned = _on_host(bundle, 1, tmp_path)
    (lacking,) = planned.lacking
    assert (lacking.artifact.origin, lacking.mode) == ("site.xgen", "push")
    assert lacking.artifact.size < len(BASE)
    assert all(f.here is None and bundle.has(f.sha256 or "") for f in lacking.artifact.files)
    (engine,) = planned.facts.engines
    assert (engine.coming, engine.error) == (True, None)


def test_a_host_that_lacks_the_model_too_gets_both(site: Outside, tmp_path: Path) -> None:
    tiny_model.write(tmp_path / "own.gguf")
    digests = LocalDigests(tmp_path / "digests")
    catalog = Catalog(FetchSettings(), Access(), lambda: digests)
    manifest = {
        "project": "p",
        "inventory": {"all": {"hosts": {"h": {}}}},
        "images": {"llama": ENGINE.tag},
        "models": {"m": {"source": {"local": "own.gguf"}}},
        "hosts": {"h": [{"model": "m"}]},
    }
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(manifest))
    own = with_local_sources(load_site(str(path)), lambda: catalog)
    (wanted,) = wanted_models(own, own.hosts["h"])
    observation = _on_host(site.made(), 0, tmp_path)
    facts = frozen.replace(observation.facts, models=(ModelFacts(key=wanted.key, missing=True),))
    completed = with_lacking(own, {"h": replace(observation, facts=facts)}, catalog)["h"]
    assert isinstance(completed, Observation)
    assert {lacking.artifact.kind for lacking in completed.lacking} == {"image", "local"}


def test_layers_that_were_left_out_and_that_a_host_lacks(site: Outside, tmp_path: Path) -> None:
    have = tmp_path / "have.json"
    _write_have(have, {host: [ENGINE.diff_ids[:1]] for host in ("a", "b")})
    bundle = site.made("--have", str(have))
    assert _on_host(bundle, 1, tmp_path).lacking
    planned = _on_host(bundle, 0, tmp_path)
    (engine,) = planned.facts.engines
    assert not planned.lacking
    assert "site.xgen was made without the layer" in (engine.error or "")


def test_an_image_that_is_not_in_it(site: Outside, tmp_path: Path) -> None:
    site.change(images={"llama": {"image": "site/other:1", "archive": "other.tar"}})
    write(tmp_path, oci(two_layers("site/other:1")), "other.tar")
    bundle = site.made()
    (engine,) = _on_host(bundle, 0, tmp_path).facts.engines
    assert "is not on this host, and site.xgen does not hold it" in (engine.error or "")
