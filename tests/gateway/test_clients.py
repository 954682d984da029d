"""Clients with keys of their own: what each may use, how often, and what is told of them."""

import json
import re
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.gateway.conftest import MakeEngine, MakeGateway
from tests.gateway.running_gateway import CLIENT_KEY, ENGINE_KEY, RunningGateway, endpoint
from tests.gateway.stub import Engine
from tests.transport.eventually import eventually
from xgen_deploy.state.endpoint import Endpoint

CHAT = "/v1/chat/completions"
ODD = 'it\'s_"q"_$HOME_%d_\\n_#x_{}'
TEAM_A = {"name": "team-a", "key": {"env": "A"}, "models": ["org/qwen3", ODD]}
TEAM_B = {"name": "team-b", "key": {"env": "B"}, "models": ["small"]}
SLOW = {"name": "slow", "key": {"env": "S"}, "rate": "2/h"}
ADMIN = {"name": "admin", "key": {"env": "ADMIN"}}


@pytest.fixture
def engine(make_engine: MakeEngine) -> Engine:
    return make_engine("chat")


def models(engine: Engine) -> list[Endpoint]:
    names = ("org/qwen3", "small", ODD)
    return [endpoint(engine, model, api_key=ENGINE_KEY) for model in names]


@pytest.fixture
def gateway(make_gateway: MakeGateway, engine: Engine) -> RunningGateway:
    gateway = make_gateway(api_key=CLIENT_KEY, clients=[TEAM_A, TEAM_B, ADMIN, SLOW])
    gateway.set(models(engine))
    gateway.start()
    return gateway


def headers(client: str, how: str = "Authorization") -> dict[str, str]:
    key = {"": "sk-door", "proof": "own-key-of-the-gateway"}.get(client, f"sk-{client}")
    return {how: f"Bearer {key}" if how == "Authorization" else key}


def ask(gateway: RunningGateway, client: str, model: str, how: str = "Authorization") -> Any:
    return gateway.ask(CHAT, {"model": model}, headers=headers(client, how))


def listed(gateway: RunningGateway, client: str) -> list[str]:
    answer = gateway.ask("/v1/models", method="GET", headers=headers(client))
    return [m["id"] for m in answer.json["data"]]


@pytest.mark.parametrize("how", ["Authorization", "x-api-key"])
@pytest.mark.parametrize(
    ("client", "own"),
    [
        ("team-a", ["org/qwen3", ODD]),
        ("team-b", ["small"]),
        ("admin", ["org/qwen3", "small", ODD]),
        ("", ["org/qwen3", "small", ODD]),
        ("proof", ["org/qwen3", "small", ODD]),
    ],
)
def test_a_client_uses_and_sees_its_own_models_alone(
    gateway: RunningGateway, engine: Engine, client: str, own: list[str], how: str
) -> None:
    assert listed(gateway, client) == own
    for model in ("org/qwen3", "small", ODD):
        status = 200 if model in own else 404
        answer = ask(gateway, client, model, how)
        assert answer.status == status, (client, model)
        assert gateway.ask(f"/m/{quote(model)}{CHAT}", {}, headers=headers(client)).status == status
        if status == 404:
            assert answer.code == "model_not_found"
            assert answer.json["error"]["message"].endswith(f"Models: {', '.join(own)}.")
    shown = gateway.ask("/v1/models/small", method="GET", headers=headers(client))
    assert shown.status == (200 if "small" in own else 404)
    assert {s["authorization"] for s in engine.seen} == {"Bearer sk-\"eng'ine%d\\ $HOME"}


def test_a_missing_model_is_answered_with_those_that_the_client_may_use(
    gateway: RunningGateway,
) -> None:
    answer = gateway.ask(CHAT, {}, headers=headers("team-b"))
    assert answer.json["error"]["message"].endswith("Models: small.")
    answer = gateway.ask("/v1/models/org/qwen3", method="GET", headers=headers("team-b"))
    assert answer.json["error"]["message"].endswith("Models: small.")


@pytest.mark.parametrize("key", ["", "sk-team-c", "SK-TEAM-A", "team-a"])
def test_any_other_key_is_refused(gateway: RunningGateway, engine: Engine, key: str) -> None:
    for header in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}):
        answer = gateway.ask(CHAT, {"model": "small"}, headers=header)
        assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert engine.seen == []


def test_without_a_common_key_only_clients_have_one(
    make_gateway: MakeGateway, engine: Engine
) -> None:
    gateway = make_gateway(clients=[TEAM_A])
    gateway.set(models(engine))
    gateway.start()
    statuses = [ask(gateway, c, "org/qwen3").status for c in ("team-a", "", "admin", "proof")]
    assert statuses == [200, 401, 401, 200]
    assert gateway.ask("/health", method="GET").status == 200


def test_a_client_beyond_its_rate_is_told_when_to_come_back(
    gateway: RunningGateway, engine: Engine
) -> None:
    assert [ask(gateway, "slow", "small").status for _ in range(2)] == [200, 200]
    before = len(engine.seen)
    answer = ask(gateway, "slow", "small")
    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
    assert answer.json["error"]["type"] == "rate_limit_error"
    assert "slow may send 2 requests each hour" in answer.json["error"]["message"]
    left = 3600 - time.time() % 3600
    assert abs(int(answer.headers["retry-after"]) - left) < 300
    told = gateway.ask("/v1/messages", {"model": "small"}, headers=headers("slow"))
    assert (told.status, told.json["error"]["type"]) == (429, "rate_limit_error")
    assert told.json["type"] == "error"
    assert len(engine.seen) == before
    assert listed(gateway, "slow") == ["org/qwen3", "small", ODD]
    assert ask(gateway, "admin", "small").status == 200


def test_a_period_that_is_over_counts_no_more(make_gateway: MakeGateway, engine: Engine) -> None:
    gateway = make_gateway(clients=[{**SLOW, "rate": "3/s"}])
    gateway.set(models(engine))
    gateway.start()
    assert eventually(lambda: ask(gateway, "slow", "small").status == 429)
    assert ask(gateway, "slow", "small").headers["retry-after"] in ("1", None)
    assert eventually(lambda: ask(gateway, "slow", "small").status == 200)


def test_the_log_and_the_metrics_name_the_client_and_never_its_key(
    gateway: RunningGateway,
) -> None:
    ask(gateway, "team-a", "org/qwen3")
    ask(gateway, "", "small")
    for _ in range(4):
        ask(gateway, "slow", "small")
    ask(gateway, "stranger", "small")
    assert eventually(lambda: gateway.log().count("client=") == 7)
    lines = re.findall(r'(\d+) \S+ model="([^"]*)".* client="([^"]*)"', gateway.log())
    assert ("200", "org/qwen3", "team-a") in lines
    assert ("200", "small", "-") in lines
    assert ("429", "-", "slow") in lines
    assert "sk-" not in gateway.log()
    told = gateway.ask("/metrics/clients", method="GET").text
    values = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
    assert values['xgen_client_requests_total{client="slow"}'] == "4"
    assert values['xgen_client_refused_by_rate_total{client="slow"}'] == "2"
    assert values['xgen_client_requests_total{client="team-a"}'] == "1"
    assert values['xgen_client_requests_total{client="admin"}'] == "0"
    assert 'xgen_client_sent_kibibytes_total{client="team-a"}' in values


def test_no_secret_is_in_the_configuration(gateway: RunningGateway) -> None:
    text = (gateway.folder / "haproxy.cfg").read_text()
    assert "sk-" not in text
    keys = (gateway.folder / "keys.cfg").read_text()
    assert all(f"sk-{name}" not in keys for name in ("team-a", "team-b", "admin", "door"))


def test_a_new_key_of_a_client_is_a_reload(gateway: RunningGateway, engine: Engine) -> None:
    clients = [{**TEAM_A, "name": "renamed"}, TEAM_B]
    settings = gateway.spec.model_dump() | {"clients": clients}
    gateway.spec = type(gateway.spec).model_validate(settings)
    gateway.set(models(engine))
    gateway.reload()
    assert ask(gateway, "team-a", "org/qwen3").status == 401
    assert ask(gateway, "renamed", "org/qwen3").status == 200
    assert ask(gateway, "admin", "small").status == 401


def test_a_hundred_clients(make_gateway: MakeGateway, engine: Engine) -> None:
    clients = [
        {"name": f"c.{n}_x-y", "key": {"env": f"C{n}"}, "models": ["small"], "rate": f"{n + 1}/d"}
        for n in range(100)
    ]
    gateway = make_gateway(clients=clients)
    gateway.set(models(engine))
    assert gateway.check() == ""
    gateway.start()
    assert [ask(gateway, "c.0_x-y", "small").status for _ in range(2)] == [200, 429]
    assert [ask(gateway, "c.99_x-y", "small").status for _ in range(3)] == [200] * 3
    assert gateway.ask("/metrics/clients", method="GET").text.count("\n") == 606


HOSTILE = [
    b"Authorization: Bearer sk-team-b\r\nAuthorization: Bearer sk-nobody\r\n",
    b"Authorization: Bearer sk-nobody\r\nx-api-key: sk-nobody\r\n",
    b"Authorization: Bearer  sk-team-a sk-nobody\r\n",
    b"Authorization: Bearer \xff\xfe\x80\r\n",
    b"Authorization:\r\n",
    b"Authorization: Bearer ${XGEN_CLIENT_0_SHA256}\r\n",
    b"Authorization: Bearer %[env(XGEN_PROOF_SHA256)]\r\n",
    b"X-Client: team-a\r\nclient: team-a\r\n",
    b"Authorization: Bearer \r\n sk-nobody\r\n",
    b"x-api-key: " + b"A" * 4000 + b"\r\n",
    b"x-api-key: ,sk-nobody,\r\n",
    b"x-api-key: *\r\n",
    b"Authorization: bearer\tsk-nobody\r\n",
    b"Authorization: Basic c2stdGVhbS1h\r\n",
    b"Cookie: key=sk-team-a\r\n",
]


@pytest.mark.parametrize("sent", HOSTILE)
def test_no_odd_header_passes_for_a_key(
    gateway: RunningGateway, engine: Engine, sent: bytes
) -> None:
    body = json.dumps({"model": "small"}).encode()
    head = b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" % CHAT.encode()
    answer = gateway.raw(head + b"Content-Length: %d\r\n" % len(body) + sent + b"\r\n" + body)
    assert not answer.startswith(b"HTTP/1.1 200")
    assert engine.seen == []
