"""What a client sees at the gateway: real HAProxy, small engines."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import (
    CLIENT_KEY,
    ENGINE_KEY,
    RunningGateway,
    endpoint,
    tls_settings,
)
from tests.gateway.stub import PATIENCE, Engine
from tests.transport.eventually import eventually

CHAT = "/v1/chat/completions"
ODD = 'it\'s "q" $HOME %d \\n #x {}'.replace(" ", "_")


@pytest.fixture
def chat(make_engine: MakeEngine) -> Engine:
    return make_engine("chat")


@pytest.fixture
def other(make_engine: MakeEngine) -> Engine:
    return make_engine("other")


@pytest.fixture
def gateway(make_gateway: MakeGateway, chat: Engine, other: Engine) -> RunningGateway:
    gateway = make_gateway()
    gateway.set([endpoint(chat, "org/qwen3"), endpoint(other, ODD)])
    gateway.start()
    return gateway


@pytest.mark.parametrize(("model", "by"), [("org/qwen3", "chat"), (ODD, "other")])
def test_a_request_goes_to_the_model_that_it_names(
    gateway: RunningGateway, model: str, by: str
) -> None:
    assert gateway.ask(CHAT, {"messages": [{"model": "x"}], "model": model}).json["served_by"] == by


def test_further_names_are_the_models(make_gateway: MakeGateway, chat: Engine) -> None:
    gateway = make_gateway()
    names = {"names": ("gpt-4o", "it's law")}
    gateway.set([endpoint(chat, "org/qwen3").model_copy(update=names)])
    gateway.start()
    for name in ("org/qwen3", "gpt-4o", "it's law"):
        assert gateway.ask(CHAT, {"model": name}).json["served_by"] == "chat"
    listed = gateway.ask("/v1/models", method="GET").json["data"]
    assert [(m["id"], m.get("root")) for m in listed] == [
        ("org/qwen3", None), ("gpt-4o", "org/qwen3"), ("it's law", "org/qwen3")
    ]  # fmt: skip
    assert gateway.ask("/v1/models/gpt-4o", method="GET").json["id"] == "org/qwen3"
    assert "gpt-4o" in gateway.ask(CHAT, {"model": "gpt-4"}).json["error"]["message"]


def test_an_unknown_model_is_told_which_there_are(gateway: RunningGateway) -> None:
    answer = gateway.ask(CHAT, {"model": "gpt-4"})
    assert (answer.status, answer.code) == (404, "model_not_found")
    assert "org/qwen3" in answer.json["error"]["message"]
    assert ODD in answer.json["error"]["message"]


@pytest.mark.parametrize("body", ["", "not JSON", "[]", "{}", '{"model": null}'])
def test_a_body_without_a_model_is_refused(gateway: RunningGateway, body: str) -> None:
    answer = gateway.ask(CHAT, body)
    assert answer.status in (400, 404)
    assert answer.json["error"]["param"] == "model"


def test_models_are_listed_and_shown(gateway: RunningGateway) -> None:
    listed = gateway.ask("/v1/models", method="GET").json
    assert [m["id"] for m in listed["data"]] == ["org/qwen3", ODD]
    assert gateway.ask("/v1/models/org/qwen3", method="GET").json["id"] == "org/qwen3"
    assert gateway.ask("/v1/models/org%2Fqwen3", method="GET").json["id"] == "org/qwen3"


@pytest.mark.parametrize("path", ["/v1/models/nosuch", "/v1/models/", "/v1/models/org"])
def test_a_model_that_is_asked_about_and_unknown_is_answered_with_those_that_there_are(
    gateway: RunningGateway, path: str
) -> None:
    answer = gateway.ask(path, method="GET")
    assert (answer.status, answer.code) == (404, "model_not_found")
    assert "org/qwen3" in answer.json["error"]["message"]


def test_an_unknown_path_is_answered_with_those_that_are_served(gateway: RunningGateway) -> None:
    answer = gateway.ask("/v1/nosuch", method="GET")
    assert (answer.status, answer.code) == (404, "unknown_url")
    assert "/v1/models, /v1/chat/completions" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "//v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/../chat/completions",
        "/v1/%2e%2e/slots",
        "/v1/chat%2Fcompletions",
        "/v1/../slots",
        "/V1/chat/completions",
        "/slots",
        "/props",
        "/invocations",
        "/v1/load_lora_adapter",
        "/m/org/qwen3/slots",
        "/m/org/qwen3/v1/../slots",
        "/m/org/qwen3/v1/../v1/slots",
        "/m/org/qwen3/v1/load_lora_adapter",
        "/m/none/v1/chat/completions",
        "/m//v1/chat/completions",
    ],
)
def test_no_other_path_reaches_an_engine(gateway: RunningGateway, chat: Engine, path: str) -> None:
    answer = gateway.ask(path, {"model": "org/qwen3"})
    assert (answer.status, answer.json["error"]["type"]) == (404, "invalid_request_error")
    assert chat.seen == []


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("DELETE", "/v1/models/org/qwen3", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
def test_other_methods_are_refused(
    gateway: RunningGateway, method: str, path: str, allowed: str
) -> None:
    answer = gateway.ask(path, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.code == "method_not_allowed"


@pytest.mark.parametrize("named", ["org/qwen3", "org%2Fqwen3"])
def test_the_path_can_name_the_model(gateway: RunningGateway, chat: Engine, named: str) -> None:
    answer = gateway.ask(f"/m/{named}/v1/audio/transcriptions?x=1", b"\x00 no JSON")
    assert answer.json["served_by"] == "chat"
    assert chat.seen[0]["path"] == "/v1/audio/transcriptions?x=1"


def test_a_body_of_400_kb_is_routed(gateway: RunningGateway) -> None:
    body = {"messages": [{"role": "user", "content": "x" * 400_000}], "model": "org/qwen3"}
    answer = gateway.ask(CHAT, body)
    assert answer.json["length"] == len(json.dumps(body))


def test_a_chunked_body_is_routed(gateway: RunningGateway) -> None:
    connection = gateway.connect()
    text = json.dumps({"pad": "y" * 100_000, "model": "org/qwen3"}).encode()
    parts = (text[at : at + 1000] for at in range(0, len(text), 1000))
    connection.request(
        "POST", CHAT, parts, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    assert json.loads(connection.getresponse().read())["length"] == len(text)


def test_a_body_that_is_too_large_to_look_into_needs_the_path(
    gateway: RunningGateway, chat: Engine
) -> None:
    body = {"model": "org/qwen3", "pad": "x" * 3_000_000}
    connection = gateway.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("Content-Length", "3000000")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert "/m/MODEL/v1/" in json.loads(response.read())["error"]["message"]
    assert chat.seen == []
    answer = gateway.ask(f"/m/org/qwen3{CHAT}", body)
    assert answer.json["length"] == len(json.dumps(body))


def test_a_chunked_body_that_is_too_large_is_refused(gateway: RunningGateway, chat: Engine) -> None:
    connection = gateway.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    text = json.dumps({"model": "org/qwen3", "pad": "x" * ((1 << 20) + 1000)}).encode()
    connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    assert connection.getresponse().status == 413
    assert chat.seen == []


def test_a_streamed_answer_arrives_part_by_part(gateway: RunningGateway, chat: Engine) -> None:
    connection = gateway.connect()
    connection.request("POST", CHAT, json.dumps({"model": "org/qwen3", "stream": 3}))
    chat.next_part.release()
    response = connection.getresponse()
    for number in range(3):
        assert response.readline() == f"data: {number}\n".encode()
        assert response.readline() == b"\n"
        chat.next_part.release()
    assert response.read() == b""


def test_a_client_that_leaves_frees_the_instance(gateway: RunningGateway, chat: Engine) -> None:
    connection = gateway.connect()
    connection.request("POST", CHAT, json.dumps({"model": "org/qwen3", "hold": True}))
    assert chat.arrived.acquire(timeout=PATIENCE)
    assert gateway.state("chat").sessions == 1
    connection.close()
    assert eventually(lambda: gateway.state("chat").sessions == 0)


def test_the_client_is_told_to_the_engine_by_its_address_alone(
    gateway: RunningGateway, chat: Engine
) -> None:
    gateway.ask(CHAT, {"model": "org/qwen3"}, headers={"X-Forwarded-For": "10.9.9.9"})
    assert chat.seen[0]["forwarded_for"] == "127.0.0.1"


def test_health_and_metrics_are_told_on_the_host(gateway: RunningGateway) -> None:
    assert gateway.ask("/health", method="GET").status == 200
    assert "haproxy_server_status" in gateway.ask("/metrics", method="GET").text


def test_the_log_has_no_key_query_or_prompt(gateway: RunningGateway) -> None:
    gateway.ask(
        f"{CHAT}?token=hidden1",
        {"model": "org/qwen3", "prompt": "hidden2"},
        headers={"Authorization": "Bearer hidden3"},
    )
    assert eventually(lambda: 'model="org/qwen3"' in gateway.log())
    assert "hidden" not in gateway.log()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("", 401),
        ("Bearer", 401),
        ("Bearer wrong", 401),
        ("Basic sk-door", 401),
        ("sk-door", 401),
        ("Bearer sk-door", 200),
        ("bearer sk-door", 200),
    ],
)
def test_the_clients_key_is_checked_and_the_engines_put_in_its_place(
    make_gateway: MakeGateway, chat: Engine, other: Engine, header: str | None, status: int
) -> None:
    gateway = make_gateway(api_key=CLIENT_KEY)
    gateway.set([endpoint(chat, "locked", api_key=ENGINE_KEY), endpoint(other, "open")])
    gateway.start()
    headers = {} if header is None else {"Authorization": header}
    answer = gateway.ask(CHAT, {"model": "locked"}, headers=headers)
    assert answer.status == status
    assert gateway.ask("/v1/models", method="GET", headers=headers).status == status
    assert gateway.ask(CHAT, {"model": "open"}, headers=headers).status == status
    if status == 200:
        assert chat.seen[0]["authorization"] == "Bearer sk-\"eng'ine%d\\ $HOME"
        assert other.seen[0]["authorization"] is None
    else:
        assert answer.code == "invalid_api_key"
        assert chat.seen == other.seen == []


def test_tls(make_gateway: MakeGateway, chat: Engine, folder: Path) -> None:
    gateway = make_gateway(tls=tls_settings(folder))
    gateway.set([endpoint(chat, "qwen")])
    gateway.start()
    assert gateway.ask(CHAT, {"model": "qwen"}).json["served_by"] == "chat"


def test_the_guard_of_a_drained_server_has_it_asked_again(gateway: RunningGateway) -> None:
    gateway.runtime.drain("here.chat")
    assert gateway.state("chat").draining
    argv = gateway.runtime.enable_argv("here.chat")
    subprocess.run(argv, timeout=20, check=True)
    assert not gateway.state("chat").draining
    assert gateway.ask(CHAT, {"model": "org/qwen3"}).json["served_by"] == "chat"
