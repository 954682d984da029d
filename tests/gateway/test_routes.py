"""Routes and their configuration, without anything running."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.running_gateway import CLIENT, CLIENT_KEY, ENGINE, ENGINE_KEY, RunningGateway
from xgen_deploy.backends.endpoint import endpoint_of
from xgen_deploy.gateway.answers import model_list
from xgen_deploy.resolve.gateway_needs import further_names
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.features import FoundLora
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.routes import build_routes, safe_name
from xgen_deploy.state.settings import Gateway, LlamaSettings, VllmSettings
from xgen_deploy.state.site import Site

EDGE = Host(name="edge", client_address="192.0.2.1")
GPU = Host(name="gpu", address="10.0.0.7", client_address="192.0.2.7")
BARE = Host(name="bare")
HOSTS = {h.name: h for h in (EDGE, GPU, BARE)}
HOSTILE = [
    "it's",
    '"quoted"',
    "$HOME${HOME}",
    "%[env(HOME)]",
    "back\\slash\\",
    "#comment",
    "}",
    "{",
    "--",
    "-f",
    "/etc/passwd",
    "a,b;c|d&e",
    "<b>&amp;",
    "모델-한국어",
    "x" * 200,
    "xgen:door",
    "gateway",
]


@pytest.mark.parametrize(
    ("gateway", "host", "listen", "address"),
    [
        (EDGE, "edge", "127.0.0.1", "127.0.0.1"),
        (EDGE, "edge", "0.0.0.0", "127.0.0.1"),
        (EDGE, "edge", "::", "::1"),
        (EDGE, "edge", "192.0.2.1", "192.0.2.1"),
        (EDGE, "gpu", "0.0.0.0", "192.0.2.7"),
        (EDGE, "gpu", "10.0.0.7", "192.0.2.7"),
        (EDGE, "bare", "0.0.0.0", "bare"),
        (GPU, "edge", "0.0.0.0", "192.0.2.1"),
        (EDGE, "gpu", "127.0.0.1", None),
        (EDGE, "gpu", "::1", None),
    ],
)
def test_where_a_gateway_reaches_an_instance(
    gateway: Host, host: str, listen: str, address: str | None
) -> None:
    one = Endpoint(host=host, instance="m", model="m", listen=listen, port=8001)
    routes = build_routes(gateway, HOSTS, [one], {"m": ()})
    assert [s.address for s in routes.servers] == ([address] if address else [])
    assert len(routes.unreachable) == (address is None)


def test_replicas_of_a_model_are_one_pool_whatever_their_hosts() -> None:
    instances = [
        Endpoint(host="edge", instance="m", model="m", port=8001),
        Endpoint(host="gpu", instance="m", model="m", listen="0.0.0.0", port=8001),
        Endpoint(host="gpu", instance="m-2", model="m", listen="0.0.0.0", port=8002),
        Endpoint(host="gpu", instance="n", model="n", listen="0.0.0.0", port=8003),
    ]
    routes = build_routes(EDGE, HOSTS, instances, {"m": (), "n": ()})
    named = {r.model: [s.name for s in r.servers] for r in routes.models}
    assert named == {"m": ["edge.m", "gpu.m", "gpu.m-2"], "n": ["gpu.n"]}


def test_two_keys_for_one_model_are_told() -> None:
    instances = [
        Endpoint(host="edge", instance="m", model="m", port=8001, api_key=ENGINE_KEY),
        Endpoint(host="edge", instance="m-2", model="m", port=8002),
    ]
    assert build_routes(EDGE, HOSTS, instances, {"m": ()}).key_conflicts == (
        "m (edge/m, edge/m-2)",
    )


def test_an_instance_answers_to_the_models_that_fall_back_to_it() -> None:
    fallback = {"mid": ("small",), "big": ("mid", "small"), "small": ()}
    site = Site(
        project="p",
        manifest_file="m",
        manifest_digest="",
        hosts={},
        declared=tuple(
            InstanceConfig(host="gpu", name=m, model=m, source="/m", ports=(1, 9), fallback=others)
            for m, others in fallback.items()
        ),
        gateway=Gateway(hosts=("edge",), port=8080),
    )
    found = {m: further_names(site, m) for m in fallback}
    assert found == {"small": ("big", "mid"), "mid": ("big",), "big": ()}
    without = site.model_copy(update={"gateway": None})
    assert further_names(without, "small") == ()


@pytest.mark.parametrize(
    ("backend", "slots"),
    [("llama-server-cuda", 2), ("vllm-cuda", 64), ("llama-cpp-python", 1)],
)
def test_an_engine_gets_as_many_requests_as_it_works_on(backend: str, slots: int) -> None:
    spec = Spec(
        model="m",
        backend=backend,
        runtime="docker",
        source="/m",
        model_path="/m",
        n_ctx=1,
        port=8001,
        llama=LlamaSettings(parallel=2),
        vllm=VllmSettings(max_num_seqs=64),
    )
    assert endpoint_of("h", "m", spec).slots == slots


def test_what_an_engine_answers_to_besides() -> None:
    """The manifest's word, as far as the engine was started with it."""
    said: dict[str, Any] = {"host": "h", "name": "m", "model": "m", "source": "/m", "ports": (1, 9)}
    declared = InstanceConfig(**said, aliases=("gpt", "o1"), loras={"law": "/l", "tone": "/t"})
    spec = Spec(
        model="m", backend="vllm-cuda", runtime="docker", source="/m", model_path="/m", n_ctx=1,
        port=8001, also_serves=("gpt",), loras={"law": FoundLora(path="/l")},
    )  # fmt: skip
    assert endpoint_of("h", "m", spec, declared).names == ("gpt", "law")
    llama = spec.model_copy(update={"backend": "llama-server-cuda", "also_serves": ()})
    assert endpoint_of("h", "m", llama, declared).names == ("gpt", "o1")
    assert endpoint_of("h", "m", spec).names == ()


def test_a_route_has_the_names_that_all_its_servers_know() -> None:
    one = Endpoint(host="edge", instance="m", model="m", port=8001, names=("gpt", "law"))
    other = one.model_copy(update={"instance": "m-2", "names": ("gpt",)})
    hosts = {"edge": EDGE}
    for endpoints, names in (((one,), ("gpt", "law")), ((one, other), ("gpt",)), ((), ())):
        (route,) = build_routes(EDGE, hosts, endpoints, {"m": ()}).models
        assert route.names == names


def test_names_that_differ_have_pools_that_differ() -> None:
    names = ["a/b", "a-b", "a b", "a:b", *HOSTILE]
    assert len({safe_name(n) for n in names}) == len(names)


@pytest.mark.parametrize("model", HOSTILE)
def test_any_model_name_makes_a_sound_configuration(folder: Path, model: str) -> None:
    gateway = RunningGateway(folder, api_key=CLIENT_KEY)
    one = Endpoint(host="here", instance="m", model=model, port=8001, api_key=ENGINE_KEY)
    gateway.set([one, one.model_copy(update={"model": "n", "instance": "n"})], {"n": (model,)})
    assert gateway.check() == ""


def test_many_models_make_a_sound_configuration(folder: Path) -> None:
    gateway = RunningGateway(folder, api_key=CLIENT_KEY, listen="::", queue_timeout=1)
    names = [f"model-{n}-{'x' * 150}" for n in range(200)]
    gateway.set(
        [
            Endpoint(host="here", instance=f"m{n}", model=m, port=8001 + n)
            for n, m in enumerate(names)
        ]
    )
    assert gateway.check() == ""


def test_the_configuration_that_people_may_see_holds_no_secret(folder: Path) -> None:
    gateway = RunningGateway(folder, api_key=CLIENT_KEY)
    gateway.set([Endpoint(host="here", instance="m", model="m", port=8001, api_key=ENGINE_KEY)])
    text = (folder / "haproxy.cfg").read_text()
    assert CLIENT not in text
    assert ENGINE not in text
    assert CLIENT not in (folder / "keys.cfg").read_text()


def test_a_line_break_is_refused(folder: Path) -> None:
    gateway = RunningGateway(folder)
    with pytest.raises(ValueError, match="line break"):
        gateway.set([Endpoint(host="here", instance="m", model="m\nglobal", port=8001)])


def test_answers_are_json_whatever_the_names() -> None:
    routes = build_routes(EDGE, HOSTS, [], dict.fromkeys(HOSTILE, ()))
    assert [m["id"] for m in json.loads(model_list(routes.models))["data"]] == HOSTILE
