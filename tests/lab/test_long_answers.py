"""An answer that outlasts a change: it began before the gateway was reloaded, and ends whole."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, small_model

GATEWAY_PORT = 8092
TOKENS = 1200


@pytest.fixture
def gateway(lab: Lab) -> LabHost:
    return lab.host("lab-gateway")


@pytest.fixture
def site(gateway: LabHost, tmp_path: Path) -> Iterator[Site]:
    found = Site(tmp_path, "t_long", ports="8151-8154")
    found.models["gemma"] = small_model(n_ctx=2048, llama={"parallel": 2, "threads": 1})
    found.serve(gateway.name)
    found.top["gateway"] = {"host": gateway.name, "listen": "0.0.0.0", "port": GATEWAY_PORT}
    found.apply()
    yield found
    assert found.run("destroy", "-y").code == 0


@pytest.mark.parametrize("strategy", ["start-first", "stop-first"])
def test_it_ends_whole(site: Site, gateway: LabHost, strategy: str) -> None:
    connection = http.client.HTTPConnection(gateway.address, GATEWAY_PORT, timeout=120)
    body = {
        "model": "gemma",
        "prompt": "Count:",
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    connection.request("POST", "/v1/completions", json.dumps(body))
    answer = connection.getresponse()
    answer.readline()
    with ThreadPoolExecutor(1) as pool:
        rest = pool.submit(answer.read)
        site.models["gemma"] |= {"n_ctx": 1920, "update": {"strategy": strategy, "drain": "2m"}}
        (planned,) = (o for o in site.plan(2).operations(gateway.name) if o["instance"] == "gemma")
        assert planned["strategy"] == strategy
        site.apply()
        *_, usage, end = [line for line in rest.result().decode().splitlines() if line]
    connection.close()
    assert end == "data: [DONE]"
    assert json.loads(usage.removeprefix("data: "))["usage"]["completion_tokens"] == TOKENS
