"""Pages of other origins, as their browsers ask: real HAProxy, small engines."""

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import CLIENT_KEY, Answer, RunningGateway, endpoint
from tests.gateway.stub import Engine

CHAT = "/v1/chat/completions"
PAGE = "https://app.example.net"
OTHER = "https://evil.example.org"
KEY = {"Authorization": "Bearer sk-door"}


@pytest.fixture
def chat(make_engine: MakeEngine) -> Engine:
    return make_engine("chat")


def started(make_gateway: MakeGateway, chat: Engine, *cors: str) -> RunningGateway:
    gateway = make_gateway(api_key=CLIENT_KEY, cors=cors)
    gateway.set([endpoint(chat, "q")])
    gateway.start()
    return gateway


def preflight(gateway: RunningGateway, origin: str, path: str = CHAT) -> Answer:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-os",
    }
    return gateway.ask(path, method="OPTIONS", headers=headers)


def allowed(answer: Answer) -> str | None:
    return answer.headers["access-control-allow-origin"]


@pytest.mark.parametrize("path", [CHAT, "/v1/models", "/m/q/v1/audio/transcriptions", "/health"])
def test_a_page_that_is_listed_is_let_in_before_it_has_a_key(
    make_gateway: MakeGateway, chat: Engine, path: str
) -> None:
    gateway = started(make_gateway, chat, "http://localhost:3000", PAGE)
    answer = preflight(gateway, PAGE, path)
    assert (answer.status, allowed(answer), answer.text) == (204, PAGE, "")
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "x-stainless-os" in answer.headers["access-control-allow-headers"]
    assert answer.headers["vary"] == "Origin"
    assert chat.seen == []


def test_its_answers_and_errors_can_be_read_by_that_page(
    make_gateway: MakeGateway, chat: Engine
) -> None:
    gateway = started(make_gateway, chat, PAGE)
    page = {"Origin": PAGE}
    for model, headers, status in (("q", KEY, 200), ("none", KEY, 404), ("q", {}, 401)):
        answer = gateway.ask(CHAT, {"model": model}, headers=page | headers)
        assert (answer.status, allowed(answer)) == (status, PAGE)
    assert allowed(gateway.ask("/v1/models", method="GET", headers=page | KEY)) == PAGE
    chat.close()
    assert allowed(gateway.ask(CHAT, {"model": "q"}, headers=page | KEY)) == PAGE


def test_another_page_is_refused_and_reads_nothing(make_gateway: MakeGateway, chat: Engine) -> None:
    gateway = started(make_gateway, chat, PAGE)
    answer = preflight(gateway, OTHER)
    assert (answer.status, answer.code, allowed(answer)) == (403, "origin_not_allowed", None)
    answer = gateway.ask(CHAT, {"model": "q"}, headers={"Origin": OTHER} | KEY)
    assert (answer.status, allowed(answer)) == (200, None)


def test_without_a_list_no_page_is_let_in_and_no_engine_lets_one_in(
    make_gateway: MakeGateway, chat: Engine
) -> None:
    gateway = started(make_gateway, chat)
    assert (preflight(gateway, PAGE).status, chat.seen) == (403, [])
    answer = gateway.ask(CHAT, {"model": "q"}, headers={"Origin": PAGE} | KEY)
    assert (answer.status, allowed(answer)) == (200, None)
    assert chat.seen[0]["origin"] is None


def test_every_page_may_be_let_in(make_gateway: MakeGateway, chat: Engine) -> None:
    gateway = started(make_gateway, chat, "*")
    assert (preflight(gateway, OTHER).status, allowed(preflight(gateway, OTHER))) == (204, "*")
    assert allowed(gateway.ask(CHAT, {"model": "q"}, headers={"Origin": PAGE} | KEY)) == "*"
    assert allowed(gateway.ask(CHAT, {"model": "q"}, headers=KEY)) is None


def test_options_that_no_browser_sent_need_a_key(make_gateway: MakeGateway, chat: Engine) -> None:
    gateway = started(make_gateway, chat, PAGE)
    assert gateway.ask(CHAT, method="OPTIONS", headers={"Origin": PAGE}).status == 401
    assert gateway.ask(CHAT, method="OPTIONS", headers=KEY).status == 405
