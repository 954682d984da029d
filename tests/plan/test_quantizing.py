"""What a plan has made on hosts, what it brings for that, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.plan.test_fetches import GIB, Lacks, artifact
from xgen_deploy.plan.fetches import fetches, with_unbringable
from xgen_deploy.plan.quantizing import quantizing_lines, quantizings
from xgen_deploy.state.facts import QuantizerFacts
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.quantize import Quantizing

PLACE = "/srv/models/xgen/quantized/k/m-Q4_K_M-r.gguf"
SOURCE = artifact(size=16 * GIB)


def on(host: Lacks, **more: Any) -> Quantizing:
    path = host.observation.lacking[0].places.path
    values: dict[str, Any] = {"host": host.host.name, "instances": ("m",), "name": "m"}
    values |= {"file_type": "Q4_K_M", "sha256": {}, "origin": "m as Q4_K_M", "root": "/srv/models"}
    values |= {"source": path, "source_size": 16 * GIB, "source_state": "s", "recipe": "r"}
    values |= {"program": "/usr/bin/llama-quantize", "version": "b11669", "engine": None}
    values |= {"place": PLACE, "requantizes": False, "size": 5 * GIB, "memory": 2 * GIB}
    values |= {"seconds": 200.0, "threads": 4, "slab": 2048, "as_login": False}
    return Quantizing(**{**values, **more})


def makes(name: str, loads: str = PLACE, **more: Any) -> Lacks:
    """A host that lacks the source, and loads what is made of it."""
    host = Lacks(name, SOURCE, **more)
    host.observation.quantizing = (on(host),)
    operation: Any = host.plan.operations[0]
    operation.instance.spec.model_path = loads
    return host


def planned(*hosts: Lacks) -> tuple[dict[str, list[str]], list[Any], tuple[Quantizing, ...]]:
    """Refusals by host, to whom the source comes, and what is made."""
    settings = FetchSettings(endpoint="https://hub.example.net")
    site: Any = type("Site", (), {"hosts": {x.host.name: x.host for x in hosts}})()
    site.fetch = settings
    observations = {x.host.name: x.observation for x in hosts}
    plans = with_unbringable(site, {x.host.name: x.plan for x in hosts}, observations)
    brought = [fetch.hosts for fetch in fetches(site, plans, observations)]
    refused = {n: [r.reason for r in p.refusals] for n, p in plans.items() if p.refusals}
    return refused, brought, quantizings(plans, observations)


def test_the_source_comes_to_each_host_that_makes_it() -> None:
    refused, brought, made = planned(makes("a", site="s"), makes("b", site="s"))
    assert (refused, brought) == ({}, [("a", "b")])
    assert [each.host for each in made] == ["a", "b"]
    assert made[0].free == 100 * GIB


def test_what_nothing_loads_is_neither_brought_nor_made() -> None:
    assert planned(makes("a", loads="/srv/models/other.gguf")) == ({}, [], ())


def test_for_the_next_start_of_what_runs() -> None:
    host = makes("a")
    host.plan = replace(host.plan, operations=(), unchanged=("m",))
    _, brought, made = planned(host)
    assert (brought, len(made)) == ([("a",)], 1)


def test_source_and_result_have_to_fit_together() -> None:
    refused, brought, made = planned(makes("a", free=20 * GIB))
    assert refused == {
        "a": [
            "m cannot be made Q4_K_M: about 21.0 GiB are to come to /srv/models, where 20.0 GiB "
            "are free"
        ]
    }
    assert (brought, made) == ([], ())
    host = makes("a", free=20 * GIB)
    host.observation.facts.quantizer = QuantizerFacts(leftover=GIB)  # what a cut left goes first
    assert planned(host)[0] == {}


def test_what_it_takes_is_shown() -> None:
    host = makes("gpu-01")
    lines = "\n".join(quantizing_lines(planned(host)[2]))
    assert "m  Q4_K_M, about 5.0 GiB, on gpu-01  disk 100.0 GiB free" in lines
    assert "/usr/bin/llama-quantize b11669: about 3 min, 4 threads, 2.0 GiB of memory" in lines
    again = "\n".join(quantizing_lines((on(host, requantizes=True),)))
    assert "its source is Q8_0: F16 or BF16 make a better file" in again
