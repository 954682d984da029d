"""What a client sees at the gateway: real HAProxy, small engines."""

import json
from pathlib import Path

import pytest

from tests.gateway.conftest import MakeDoor, MakeEngine
from tests.gateway.door import CLIENT_KEY, ENGINE_KEY, Door, Local, serving, tls_settings
from tests.gateway.stub import Engine
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
def door(make_door: MakeDoor, chat: Engine, other: Engine) -> Door:
    door = make_door()
    door.set([serving(chat, "org/qwen3"), serving(other, ODD)])
    door.start()
    return door


@pytest.mark.parametrize(("model", "by"), [("org/qwen3", "chat"), (ODD, "other")])
def test_a_request_goes_to_the_model_that_it_names(door: Door, model: str, by: str) -> None:
    assert door.ask(CHAT, {"messages": [{"model": "x"}], "model": model}).json["served_by"] == by


def test_an_unknown_model_is_told_which_there_are(door: Door) -> None:
    answer = door.ask(CHAT, {"model": "gpt-4"})
    assert (answer.status, answer.code) == (404, "model_not_found")
    assert "org/qwen3" in answer.json["error"]["message"]
    assert ODD in answer.json["error"]["message"]


@pytest.mark.parametrize("body", ["", "not JSON", "[]", "{}", '{"model": null}'])
def test_a_body_without_a_model_is_refused(door: Door, body: str) -> None:
    answer = door.ask(CHAT, body)
    assert answer.status in (400, 404)
    assert answer.json["error"]["param"] == "model"


def test_models_are_listed_and_shown(door: Door) -> None:
    listed = door.ask("/v1/models", method="GET").json
    assert [m["id"] for m in listed["data"]] == ["org/qwen3", ODD]
    assert door.ask("/v1/models/org/qwen3", method="GET").json["id"] == "org/qwen3"
    assert door.ask("/v1/models/org%2Fqwen3", method="GET").json["id"] == "org/qwen3"
    assert door.ask("/v1/models/none", method="GET").status == 404


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
def test_no_other_path_reaches_an_engine(door: Door, chat: Engine, path: str) -> None:
    answer = door.ask(path, {"model": "org/qwen3"})
    assert (answer.status, answer.json["error"]["type"]) == (404, "invalid_request_error")
    assert chat.seen == []


def test_other_methods_are_refused(door: Door) -> None:
    assert door.ask(CHAT, method="GET").status == 405


@pytest.mark.parametrize("named", ["org/qwen3", "org%2Fqwen3"])
def test_the_path_can_name_the_model(door: Door, chat: Engine, named: str) -> None:
    answer = door.ask(f"/m/{named}/v1/audio/transcriptions?x=1", b"\x00 no JSON")
    assert answer.json["served_by"] == "chat"
    assert chat.seen[0]["path"] == "/v1/audio/transcriptions?x=1"


def test_a_body_of_400_kb_is_routed(door: Door) -> None:
    body = {"messages": [{"role": "user", "content": "x" * 400_000}], "model": "org/qwen3"}
    answer = door.ask(CHAT, body)
    assert answer.json["length"] == len(json.dumps(body))


def test_a_chunked_body_is_routed(door: Door) -> None:
    connection = door.connect()
    text = json.dumps({"pad": "y" * 100_000, "model": "org/qwen3"}).encode()
    parts = (text[at : at + 1000] for at in range(0, len(text), 1000))
    connection.request(
        "POST", CHAT, parts, encode_chunked=True, headers={"Transfer-Encoding": "chunked"}
    )
    assert json.loads(connection.getresponse().read())["length"] == len(text)


def test_a_body_that_is_too_large_to_look_into_needs_the_path(door: Door, chat: Engine) -> None:
    body = {"model": "org/qwen3", "pad": "x" * 3_000_000}
    connection = door.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("Content-Length", "3000000")
    connection.endheaders()
    response = connection.getresponse()
    assert response.status == 413
    assert "/m/MODEL/v1/" in json.loads(response.read())["error"]["message"]
    assert chat.seen == []
    answer = door.ask(f"/m/org/qwen3{CHAT}", body)
    assert answer.json["length"] == len(json.dumps(body))


def test_a_chunked_body_that_is_too_large_is_refused(door: Door, chat: Engine) -> None:
    connection = door.connect()
    connection.putrequest("POST", CHAT)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    text = json.dumps({"model": "org/qwen3", "pad": "x" * ((1 << 20) + 1000)}).encode()
    connection.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
    assert connection.getresponse().status == 413
    assert chat.seen == []


def test_a_streamed_answer_arrives_part_by_part(door: Door, chat: Engine) -> None:
    connection = door.connect()
    connection.request("POST", CHAT, json.dumps({"model": "org/qwen3", "stream": 3}))
    chat.next_part.release()
    response = connection.getresponse()
    for number in range(3):
        assert response.readline() == f"data: {number}\n".encode()
        assert response.readline() == b"\n"
        chat.next_part.release()
    assert response.read() == b""


def test_a_client_that_leaves_frees_the_instance(door: Door, chat: Engine) -> None:
    connection = door.connect()
    connection.request("POST", CHAT, json.dumps({"model": "org/qwen3", "hold": True}))
    assert chat.arrived.acquire(timeout=20)
    assert door.state("chat").sessions == 1
    connection.close()
    assert eventually(lambda: door.state("chat").sessions == 0)


def test_the_client_is_told_to_the_engine_by_its_address_alone(door: Door, chat: Engine) -> None:
    door.ask(CHAT, {"model": "org/qwen3"}, headers={"X-Forwarded-For": "10.9.9.9"})
    assert chat.seen[0]["forwarded_for"] == "127.0.0.1"


def test_health_and_metrics_are_told_on_the_host(door: Door) -> None:
    assert door.ask("/health", method="GET").status == 200
    assert "haproxy_server_status" in door.ask("/metrics", method="GET").text


def test_the_log_has_no_key_query_or_prompt(door: Door) -> None:
    door.ask(
        f"{CHAT}?token=hidden1",
        {"model": "org/qwen3", "prompt": "hidden2"},
        headers={"Authorization": "Bearer hidden3"},
    )
    assert eventually(lambda: 'model="org/qwen3"' in door.log())
    assert "hidden" not in door.log()


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
    make_door: MakeDoor, chat: Engine, other: Engine, header: str | None, status: int
) -> None:
    door = make_door(api_key=CLIENT_KEY)
    door.set([serving(chat, "locked", api_key=ENGINE_KEY), serving(other, "open")])
    door.start()
    headers = {} if header is None else {"Authorization": header}
    answer = door.ask(CHAT, {"model": "locked"}, headers=headers)
    assert answer.status == status
    assert door.ask("/v1/models", method="GET", headers=headers).status == status
    assert door.ask(CHAT, {"model": "open"}, headers=headers).status == status
    if status == 200:
        assert chat.seen[0]["authorization"] == "Bearer sk-\"eng'ine%d\\ $HOME"
        assert other.seen[0]["authorization"] is None
    else:
        assert answer.code == "invalid_api_key"
        assert chat.seen == other.seen == []


def test_tls(make_door: MakeDoor, chat: Engine, folder: Path) -> None:
    door = make_door(tls=tls_settings(folder))
    door.set([serving(chat, "qwen")])
    door.start()
    assert door.ask(CHAT, {"model": "qwen"}).json["served_by"] == "chat"


def test_the_guard_of_a_drained_server_has_it_asked_again(door: Door) -> None:
    door.runtime.drain("here.chat")
    assert door.state("chat").draining
    argv = door.runtime.enable_argv("here.chat")
    Local().run(list(argv), timeout=20)
    assert not door.state("chat").draining
    assert door.ask(CHAT, {"model": "org/qwen3"}).json["served_by"] == "chat"
