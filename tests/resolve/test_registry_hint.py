"""Docker's own words, as its versions say them, and what they are answered with."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tests.render.scene import Scene
from xgen_deploy.apply.artifacts import NotPulled, pull_images
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.registry_hint import missing_image_hint, registry_hint
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.transport.base import Completed, Session

CASE: dict[str, Any] = {
    "host": "cpu",
    "runtime": "docker",
    "models": {"q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf"}},
    "place": [{"model": "q"}],
}
IMAGE = "registry.lotte.example:5000/llama:1"


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        (
            'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
            "registry-1.docker.io on 127.0.0.53:53: no such host",
            "gpu-a cannot look up the name registry.lotte.example:5000. Correct it, or name one in "
            "a registry that gpu-a reaches, or have this machine send it (`pull: push`).",
        ),
        ("dial tcp: lookup r on 8.8.8.8:53: read udp: i/o timeout", "cannot look up the name"),
        ("dial tcp: lookup r: Temporary failure in name resolution", "cannot look up the name"),
        ('Get "https://r/v2/": dial tcp 192.0.2.1:443: i/o timeout', "gpu-a does not reach regi"),
        ("dial tcp 192.0.2.1:443: connect: connection refused", "gpu-a does not reach regi"),
        ("net/http: request canceled (Client.Timeout exceeded)", "gpu-a does not reach regi"),
        ("its registry does not answer: timed out", "gpu-a does not reach regi"),
        ("proxyconnect tcp: dial tcp: lookup proxy: no such host", "The proxy of gpu-a's"),
        ("proxyconnect tcp: dial tcp 10.0.0.1:3128: connection refused", "The proxy of gpu-a's"),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "/etc/docker/certs.d/registry.lotte.example:5000/ca.crt",
        ),
        ("http: server gave HTTP response to HTTPS client", "`insecure-registries`"),
        ("pull access denied for x, repository does not exist", "`docker login registry.lotte"),
        ("unauthorized: authentication required", "`docker login registry.lotte"),
        ("toomanyrequests: You have reached your pull rate limit", "Wait, or run `docker login"),
        ("manifest for x:1 not found: manifest unknown: manifest unknown", "name and the tag"),
        ("no matching manifest for linux/arm64/v8 in the manifest list", "gpu-a's architecture"),
        ("write /var/lib/docker/tmp/x: no space left on device", "Make room on gpu-a"),
    ],
)
def test_what_to_do_is_said(said: str, hint: str) -> None:
    assert hint in registry_hint("gpu-a", IMAGE, said)


def test_of_other_words_nothing_is_made_up() -> None:
    assert registry_hint("gpu-a", IMAGE, "something new") == ""
    assert missing_image_hint("gpu-a", IMAGE, "Docker says of x: timeout") == ""
    assert missing_image_hint("gpu-a", IMAGE, f"image {IMAGE} is not on this host") == ""


@pytest.mark.parametrize("image", ["vllm/vllm-openai:v1", "llama:1"])
def test_a_name_without_a_registry_is_on_docker_hub(image: str) -> None:
    reason = f"image {image} is not on this host; dial tcp 192.0.2.1:443: i/o timeout"
    assert "does not reach registry-1.docker.io" in missing_image_hint("gpu-a", image, reason)


def test_the_plan_says_it_in_place_of_its_general_hint(tmp_path: Path) -> None:
    scene = Scene(CASE, tmp_path)
    wrong = "image {} is not on this host; dial tcp: lookup registry.lotte.example: no such host"
    engines = tuple(
        e.model_copy(update={"error": wrong.format(e.image), "state": None, "flags": ()})
        for e in scene.facts.engines
    )
    scene.facts = scene.facts.model_copy(update={"engines": engines})
    (refusal,) = scene.resolved().refusals
    assert "no such host" in refusal.reason
    assert refusal.hint is not None
    assert "h cannot look up the name" in refusal.hint
    assert "`docker load` or `docker pull`" not in refusal.hint


class _Session:
    """Of a host whose Docker cannot pull."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        assert argv[1] == "pull"
        assert timeout > 0
        return Completed(1, "", "Error response from daemon: dial tcp: lookup r: no such host\n")


def test_apply_says_it_where_the_pull_fails(tmp_path: Path) -> None:
    scene = Scene(CASE, tmp_path)
    (instance,) = scene.resolved().instances
    instance = replace(instance, engine=replace(instance.engine, pull=True))
    operation = Operation(
        id="h/q", host="h", name="q", kind=Kind.CREATE, cause="", instance=instance
    )
    session = cast(Session, _Session())
    plan = HostPlan(host="h", operations=(operation,))
    with pytest.raises(NotPulled) as caught:
        pull_images(plan, session, lambda _: None, lambda _: None, "python3")
    assert "lookup r: no such host\n  h cannot look up the name" in str(caught.value)
    assert caught.value.hint.startswith("h cannot look up")
