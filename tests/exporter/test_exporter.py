"""The exporter as it runs on a host: real TLS, as a user without rights, and whoever may come."""

import json
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.exporter.hostile_engine import drips, endless, hostile, never, sends
from tests.exporter.launcher import TOKEN, engine, exporter, settings, values
from tests.gateway.stub import Engine
from tests.transport.eventually import eventually

GET = "GET /metrics HTTP/1.1\r\nHost: gpu-a\r\n"
SHOWN = f"Authorization: Bearer {TOKEN}\r\n\r\n"
LABELS = 'instance="m",model="qwen"'
UP = f"xgen_instance_up{{{LABELS}}}"
ERROR = 'xgen_collection_error{source="engine:m"}'


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (GET + SHOWN, "200 OK"),
        (GET + "authorization: BEARER  " + TOKEN + "\r\n\r\n", "200 OK"),
        (GET.replace("/metrics", "/metrics?name=x") + SHOWN, "200 OK"),
        (GET + "\r\n", "401 Unauthorized"),
        (GET + "Authorization: Bearer wrong\r\n\r\n", "401 Unauthorized"),
        (GET + f"Authorization: Basic {TOKEN}\r\n\r\n", "401 Unauthorized"),
        (GET + f"X-Authorization: Bearer {TOKEN}\r\n\r\n", "401 Unauthorized"),
        (GET.replace("/metrics", "/") + "\r\n", "401 Unauthorized"),
        (GET.replace("/metrics", "/metrics/../settings") + SHOWN, "404 Not Found"),
        (GET.replace("/metrics", "/%2e%2e/etc/passwd") + SHOWN, "404 Not Found"),
        (GET.replace("/metrics", "http://10.0.0.1/metrics") + SHOWN, "404 Not Found"),
        (GET.replace("GET", "POST") + SHOWN, "405 Method Not Allowed"),
        ("GET /metrics\r\n\r\n", "400 Bad Request"),
        ("\x16\x03\x01 nonsense\r\n\r\n", "400 Bad Request"),
    ],
)
def test_it_answers_one_question_and_only_to_whoever_shows_the_token(
    head: str, status: str
) -> None:
    with exporter(settings()) as running:
        answer = running.ask(head)
    assert answer.startswith(f"HTTP/1.1 {status}\r\n")
    assert ("xgen_" in answer) == (status == "200 OK")


def test_without_tls_it_says_nothing_and_goes_on() -> None:
    with exporter(settings()) as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=20) as plain:
            plain.sendall((GET + SHOWN).encode())
            with suppress(ConnectionResetError):
                assert b"xgen" not in plain.recv(1 << 16)
        assert "xgen_host_memory_total_bytes" in running.page()


def test_clients_that_say_nothing_or_too_much_keep_nobody_else_out() -> None:
    with exporter(settings()) as running:
        silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(30)]
        assert "xgen_host_memory_total_bytes" in running.page()
        with running.connect() as greedy:
            greedy.sendall(b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 9000)
            assert greedy.recv(100) == b"", "a head without end is not read on"
        for connection in silent:
            connection.settimeout(30)
            assert connection.recv(1) == b"", "who says nothing is hung up on"
            connection.close()
        assert "xgen_host_memory_total_bytes" in running.page()


def test_more_connections_than_it_attends_to_are_hung_up_on_and_forgotten() -> None:
    with exporter(settings()) as running:
        many = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
        for connection in many:
            connection.close()
        assert eventually(lambda: "200 OK" in running.ask(GET + SHOWN), 20)


def test_it_ends_when_nobody_asks() -> None:
    with exporter(settings(), idle=0.5) as running:
        running.page()
        assert running.process.wait(20) == 0


def test_an_engine_that_is_not_there_costs_its_own_metrics_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with exporter(settings(engines=[engine(port)])) as running:
        told = values(running.page())
    assert (told[UP], told[ERROR]) == (0, 1)
    assert 'xgen_collected_timestamp_seconds{source="engine:m"}' not in told
    assert told["xgen_host_memory_total_bytes"] > 0


def test_an_engine_without_metrics_is_up_by_its_health() -> None:
    stub = Engine("m")
    try:
        document = settings(engines=[engine(stub.port, page=None)])
        with exporter(document) as running:
            told = values(running.page())
    finally:
        stub.close()
    assert (told[UP], told[ERROR]) == (1, 0)


def _page(*lines: str) -> Callable[[socket.socket], None]:
    return sends("".join(line + "\n" for line in lines).encode())


@pytest.mark.parametrize(
    "lines",
    [
        ['llamacpp:n_decode_total{host="evil",project="x",instance="other",model="y",job="z"} 7'],
        ["llamacpp:n_decode_total 7 1700000000000", "llamacpp:n_decode_total 8"],
        ["process_cpu_seconds_total 3", "llamacpp:n_decode_total 7", 'secret{prompt="x"} 1'],
        ["llamacpp:n_decode_total 7", "llamacpp:requests_deferred NaN", "llamacpp:n_tokens_max x"],
        [
            "llamacpp:n_decode_total 7",
            "llamacpp:requests_deferred{" + "a" * 9000,
            "# HELP \x00\x1b[",
        ],
        ["llamacpp:n_decode_total 7", "llamacpp:requests_processing " + "9" * 400],
        ["llamacpp:n_decode_total{} 7", "xgen_instance_up 0", "xgen_gpu_lost 1"],
    ],
)
def test_what_an_engine_says_is_passed_on_only_where_it_is_known(lines: list[str]) -> None:
    with hostile(_page(*lines)) as port, exporter(settings(engines=[engine(port)])) as running:
        told = values(running.page())
    assert {k: v for k, v in told.items() if "llamacpp" in k or "secret" in k} == {
        f"llamacpp:n_decode_total{{{LABELS}}}": 7
    }
    assert (told[UP], told[ERROR]) == (1, 0)
    assert not any("process_cpu" in series or "lost" in series for series in told)


def test_labels_of_an_engine_stay_in_their_quotes() -> None:
    line = 'vllm:request_success_total{finished_reason="a\\"} 1\\\\\\n} 1\\nx",engine="%s"} 4' % (
        "e" * 900
    )
    document = engine(0, page="vllm")
    with (
        hostile(_page(line)) as port,
        exporter(settings(engines=[{**document, "port": port}])) as running,
    ):
        (series,) = [s for s in running.page().splitlines() if s.startswith("vllm:")]
    assert 'finished_reason="a\\"} 1\\\\\\n} 1\\nx"' in series
    assert f'engine="{"e" * 200}"' in series
    assert series.endswith("} 4")


@pytest.mark.parametrize(
    ("answer", "up"),
    [
        (drips, 0),
        (never, 0),
        (endless, 0),
        (sends(b"", "Content-Length: 99999999999\r\n"), 0),
        (sends(b"x" * 9, "Transfer-Encoding: chunked\r\n"), 0),
        (sends(b"", "X: y\r\n" * 500), 0),
        (_page(*(f"# {n}" for n in range(30_000))), 1),
        (sends(b"\xff\xfe" * 1000), 1),
    ],
    ids=["drips", "silent", "endless", "too long", "no chunk", "headers", "lines", "bytes"],
)
def test_an_engine_that_answers_badly_costs_its_own_metrics_alone(
    answer: Callable[[socket.socket], None], up: int
) -> None:
    with hostile(answer) as port, exporter(settings(engines=[engine(port)])) as running:
        told = values(running.page())
    assert told[UP] == up
    assert not any("llamacpp" in series for series in told)
    assert told["xgen_host_memory_total_bytes"] > 0


def test_who_waits_for_less_long_is_answered_sooner() -> None:
    """As Prometheus with a short interval: a silent engine is not to make its host look down."""
    timeout = "X-Prometheus-Scrape-Timeout-Seconds: 2\r\n"
    with hostile(never) as port, exporter(settings(engines=[engine(port)])) as running:
        answer = running.ask(GET + timeout + SHOWN, patience=5)
    told = values(answer.partition("\r\n\r\n")[2])
    assert (told[UP], told[ERROR]) == (0, 1)


def test_what_an_operator_stopped_is_not_asked() -> None:
    stopped = ["xgen_instance_stopped_by_intent", {"instance": "m", "model": "qwen"}, 1]
    facts = json.dumps({"format": 1, "at": 1700000000.5, "samples": [stopped]})
    asked: list[bool] = []
    with (
        hostile(lambda _: asked.append(True)) as port,
        exporter(settings(engines=[engine(port)]), facts=facts) as running,
    ):
        told = values(running.page())
    assert told[UP] == 0
    assert told[f"xgen_instance_stopped_by_intent{{{LABELS}}}"] == 1
    assert told['xgen_collected_timestamp_seconds{source="facts"}'] == 1700000000.5
    assert asked == []


@pytest.mark.parametrize(
    "facts",
    [
        "",
        "[]",
        "{" * 500,
        '{"format": 2}',
        '{"format": 1, "at": 1, "samples": [["evil_metric", {}, 1]]}',
        '{"format": 1, "at": 1, "samples": [["xgen_instance_up", {}, 1e999]]}',
        '{"format": 1, "at": 1, "samples": [["xgen_instance_up", 5, 1]]}',
    ],
)
def test_facts_that_make_no_sense_are_an_error_of_theirs(facts: str) -> None:
    with exporter(settings(), facts=facts) as running:
        told = values(running.page())
    assert told['xgen_collection_error{source="facts"}'] == 1
    assert told["xgen_host_memory_total_bytes"] > 0
