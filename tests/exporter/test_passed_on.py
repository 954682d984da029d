"""What real engines and a real HAProxy say of themselves reaches the page, with our labels."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.exporter.launcher import engine, exporter, settings, values
from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import endpoint, tls_settings
from tests.ports import free_port
from tests.transport.eventually import eventually
from xgen_deploy.watch.exporter_settings import gateway_settings
from xgen_deploy.watch.relayed import CLIENTS, HAPROXY, LLAMA_SERVER, series_names

KEY = "sk-of-the-engine"
LABELS = 'instance="m",model="qwen"'


@contextmanager
def llama_server(binary: str, model: Path, folder: Path) -> Iterator[int]:
    """With a key, on the CPU; ready."""
    port = free_port()
    key = folder / "api-key"
    key.write_text(KEY + "\n")
    words = ["--model", str(model), "--port", str(port), "--api-key-file", str(key), "--metrics"]
    words += ["--ctx-size", "256", "--parallel", "1", "--threads", "1", "--device", "none"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, *words], stdout=log, stderr=log)
    try:
        assert eventually(lambda: ask(port, "/health") == 200), (folder / "log").read_text()
        yield port
    finally:
        process.kill()
        process.wait()


def ask(port: int, path: str, body: object = None) -> int:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    request.add_header("Authorization", f"Bearer {KEY}")
    request.data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return int(response.status)
    except OSError:
        return 0


def test_a_llama_server_is_asked_with_its_key(binary: str, model: Path, tmp_path: Path) -> None:
    with llama_server(binary, model, tmp_path) as port:
        assert ask(port, "/completion", {"prompt": "a b c", "n_predict": 5}) == 200
        document = settings(engines=[engine(port, credential="key-m", key_file="/nowhere")])
        with exporter(document, {"key-m": KEY + "\n"}) as running:
            page = running.page()
        with exporter(document, {"key-m": "another"}) as running:
            refused = values(running.page())
    told = values(page)
    listed = {f"{name}{{{LABELS}}}" for metric in LLAMA_SERVER for name in series_names(metric)}
    # Averages of what took no time are no numbers, and left out.
    averages = {series for series in listed if "tokens_seconds{" in series}
    passed_on = {series for series in told if series.startswith("llamacpp")}
    assert listed - averages <= passed_on <= listed
    assert told[f"llamacpp:tokens_predicted_total{{{LABELS}}}"] >= 1
    assert told[f"xgen_instance_up{{{LABELS}}}"] == 1
    assert KEY not in page
    assert refused['xgen_collection_error{source="engine:m"}'] == 1
    assert refused[f"xgen_instance_up{{{LABELS}}}"] == 1, "its health asks for no key"
    assert not any(s.startswith("llamacpp") for s in refused)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_gateway_tells_who_of_a_model_is_healthy(
    make_gateway: MakeGateway, make_engine: MakeEngine, folder: Path, tls: bool
) -> None:
    clients = [{"name": "team", "key": {"env": "TEAM"}}]
    gateway = make_gateway(clients=clients, tls=tls_settings(folder) if tls else None)
    good, bad = make_engine("good"), make_engine("bad")
    bad.healthy = False
    gateway.set([endpoint(good, "qwen"), endpoint(bad, "qwen"), endpoint(good, "bge")])
    gateway.start()
    gateway.ask("/v1/chat/completions", {"model": "qwen"}, headers={"x-api-key": "sk-team"})
    with exporter(settings(gateway=gateway_settings(gateway.spec))) as running:
        told = values(running.page())
        gateway.stop()
        assert eventually(lambda: values(running.page())["xgen_gateway_up"] == 0)
    assert told["xgen_gateway_up"] == 1
    assert told['xgen_gateway_model_servers{model="qwen"}'] == 2
    assert told['xgen_gateway_model_servers_healthy{model="qwen"}'] == 1
    assert told['xgen_gateway_model_servers_healthy{model="bge"}'] == 1
    assert told['haproxy_backend_agg_server_status{proxy="qwen",state="UP",model="qwen"}'] == 1
    status = 'haproxy_server_status{proxy="qwen",server="here.bad",state="DOWN",'
    assert told[status + 'model="qwen",instance="bad"}'] == 1
    assert told['xgen_client_requests_total{client="team"}'] == 1
    names = {series.partition("{")[0] for series in told}
    assert {m.name for m in (*HAPROXY, *CLIENTS)} <= names
