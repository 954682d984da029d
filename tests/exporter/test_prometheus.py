"""What the dashboards and rules ask is there: a real Prometheus asks a real exporter, which passes
on a real llama-server and a real HAProxy. vLLM's page is one that was recorded; GPUs and facts are
those of the table of metrics; the vendors' own pages are written by hand (watch/recorded).
"""

import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.exporter.hostile_engine import Answer, hostile, sends
from tests.exporter.launcher import engine, exporter, settings
from tests.exporter.running_prometheus import (
    ADDRESS,
    RunningPrometheus,
    certificate,
    prometheus,
)
from tests.exporter.test_passed_on import KEY, ask, llama_server
from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import RunningGateway, endpoint
from tests.transport.eventually import eventually
from tests.watch.metric_names import RECORDED
from tests.watch.test_dashboards import as_prometheus_reads, queries
from xgen_deploy.state.monitoring import Target
from xgen_deploy.watch.dashboards.files import DASHBOARDS
from xgen_deploy.watch.dashboards.panel import Query
from xgen_deploy.watch.exporter_settings import gateway_settings
from xgen_deploy.watch.metrics import GPUS, HOST, INSTANCES, PROJECT

EXAMPLES = {"instance": "m", "model": "qwen", "gpu_uuid": "GPU-1", "gpu_index": "0"}
# Who talks about another host is not believed.
FORGED = {"project": "other", "host": "another"}


def _facts() -> str:
    """One series of each metric that a host's collector and GPUs tell."""
    rows = [
        [
            metric.name,
            {label: EXAMPLES.get(label, "x") for label in metric.labels},
            int(metric.name != "xgen_instance_stopped_by_intent"),
        ]
        for metric in (*INSTANCES, *GPUS, *HOST, *PROJECT)
        if metric.name != "xgen_instance_up"
    ]
    return json.dumps({"format": 1, "at": time.time(), "state": {}, "samples": rows})


@dataclass(frozen=True)
class Asked:
    """A Prometheus, and requests to what it watches."""

    server: RunningPrometheus
    request: Callable[[], object]


@pytest.fixture
def asked(
    binary: str,
    model: Path,
    tmp_path: Path,
    make_gateway: MakeGateway,
    make_engine: MakeEngine,
) -> Iterator[Asked]:
    pem, whole = certificate()
    gateway = make_gateway(clients=[{"name": "team", "key": {"env": "TEAM"}}])
    gateway.set([endpoint(make_engine("m"), "qwen")])
    gateway.start()
    with (
        llama_server(binary, model, tmp_path) as port,
        hostile(_recorded("vllm")) as of_vllm,
        hostile(_recorded("dcgm-exporter")) as of_nvidia,
        hostile(_recorded("amd-exporter")) as of_amd,
    ):
        engines = [
            engine(port, credential="key-m"),
            engine(of_vllm, instance="v", model="mixtral", page="vllm"),
        ]
        document = settings(**FORGED, gateway=gateway_settings(gateway.spec), engines=engines)
        files = {"key-m": KEY + "\n", "tls.pem": whole}
        with exporter(document, files, facts=_facts()) as running:
            target = Target(host="gpu-01", address=ADDRESS, port=running.port)
            with prometheus(tmp_path, target, pem, (of_nvidia, of_amd)) as server:
                yield Asked(server, lambda: _requests(port, gateway))


def _recorded(name: str) -> Answer:
    return sends((RECORDED / f"{name}.txt").read_bytes())


def _requests(engine_port: int, gateway: RunningGateway) -> None:
    ask(engine_port, "/completion", {"prompt": "a b c", "n_predict": 5})
    key = {"x-api-key": "sk-team"}
    gateway.ask("/v1/chat/completions", {"model": "qwen"}, headers=key)


def _has_data(server: RunningPrometheus, query: Query) -> bool:
    """With all labels that its legend names."""
    labels = set(re.findall(r"\{\{(\w+)\}\}", query.legend))
    return any(labels <= found.keys() for found in server.series(as_prometheus_reads(query.expr)))


def test_every_query_and_rule_has_something_to_read(asked: Asked) -> None:
    server = asked.server
    empty = {query for dashboard in DASHBOARDS for query in queries(dashboard)}

    def all_answer() -> bool:
        asked.request()
        empty.difference_update([query for query in list(empty) if _has_data(server, query)])
        return not empty

    assert eventually(all_answer, 90), ([query.expr for query in empty], server.target_errors())
    assert server.rule_errors() == []
    assert {s["host"] for s in server.series('{__name__=~"xgen_.+|haproxy_.+|llamacpp:.+"}')} == {
        "gpu-01"
    }
    assert {s["project"] for s in server.series("xgen_instance_up")} == {"lotte"}
    assert {s["instance"] for s in server.series("xgen_instance_up")} == {"m", "v"}
    assert not any("instance" in s for s in server.series("xgen_host_memory_total_bytes"))
    assert server.series('{__name__!~"up|scrape_.+",exported_host!=""}') == []
