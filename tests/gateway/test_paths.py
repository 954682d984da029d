"""Which paths reach an engine, and how large a request may be: real HAProxy, small engines."""

import json

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import CLIENT_KEY, Answer, RunningGateway, endpoint
from tests.gateway.stub import Engine
from xgen_deploy.gateway.config import Limits
from xgen_deploy.state.gateway import GatewaySpec

CHAT = "/v1/chat/completions"
MESSAGES = "/v1/messages"


@pytest.fixture
def chat(make_engine: MakeEngine) -> Engine:
    return make_engine("chat")


@pytest.fixture
def gateway(make_gateway: MakeGateway, chat: Engine) -> RunningGateway:
    gateway = make_gateway()
    gateway.set([endpoint(chat, "q")])
    gateway.start()
    return gateway


@pytest.mark.parametrize(
    ("path", "sent_to"),
    [
        (f"{MESSAGES}/count_tokens?beta=true", f"{MESSAGES}/count_tokens?beta=true"),
        (f"/m/q{MESSAGES}/count_tokens", f"{MESSAGES}/count_tokens"),
        ("/v1/responses/input_tokens", "/v1/responses/input_tokens"),
        ("/tokenize", "/tokenize"),
        ("/detokenize", "/detokenize"),
        ("/rerank", "/v1/rerank"),
        ("/v2/rerank?x=1", "/v1/rerank?x=1"),
        ("/v1/reranking", "/v1/rerank"),
        ("/m/q/v1/reranking", "/v1/rerank"),
    ],
)
def test_what_else_clients_ask_for(
    gateway: RunningGateway, chat: Engine, path: str, sent_to: str
) -> None:
    assert gateway.ask(path, {"model": "q"}).status == 200
    assert [seen["path"] for seen in chat.seen] == [sent_to]


@pytest.mark.parametrize("prefix", ["", "/m/none"])
def test_an_error_of_counting_tokens_is_in_the_shape_of_that_api(
    gateway: RunningGateway, prefix: str
) -> None:
    answer = gateway.ask(f"{prefix}{MESSAGES}/count_tokens", {"model": "none"})
    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    assert answer.json["type"] == "error"


def test_how_large_a_request_may_be_can_be_stated(make_gateway: MakeGateway, chat: Engine) -> None:
    gateway = make_gateway(api_key=CLIENT_KEY, max_body="8M")
    gateway.set([endpoint(chat, "q")])
    gateway.start()
    key = {"Authorization": "Bearer sk-door"}
    body = {"image": "x" * ((8 << 20) - 100), "model": "q"}
    assert gateway.ask(CHAT, body, headers=key).json["length"] == len(json.dumps(body))
    connection = gateway.connect()
    connection.putrequest("POST", CHAT)
    for name, value in (key | {"Content-Length": str((8 << 20) + 1)}).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = Answer(connection.getresponse())
    assert (answer.status, answer.code) == (413, "request_too_large")
    assert "8388608 bytes" in answer.json["error"]["message"]


def test_larger_requests_have_fewer_buffers_in_about_as_much_memory() -> None:
    def limits(size: str) -> Limits:
        return Limits.of(GatewaySpec.model_validate({"port": 1, "max_body": size}))

    usual, larger, largest = map(limits, ("1M", "4M", "64M"))
    assert usual == Limits()
    assert larger.buffers * larger.buffer <= usual.buffers * usual.buffer
    assert larger.body == 4 << 20
    assert largest.buffers == 256
