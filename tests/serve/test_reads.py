"""What is told of a fleet is what the commands tell of it."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from tests.apply.conftest import q
from tests.serve.conftest import Serve, Served, users

TWO: dict[str, Any] = {"h": "cpu", "n": "cpu"}
PLACED: dict[str, Any] = {"h": [q()], "n": [q(), {"model": "r", "gpus": []}]}
MODELS: dict[str, Any] = {
    "q": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 2048},
    "r": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 1024},
}
LIMITED = users(
    eve={"role": "viewer", "hosts": ["h"]},
    ray={"role": "operator", "models": ["r"]},
    kim={"role": "admin"},
)


@pytest.fixture
def served(serve: Serve) -> Served:
    """Two hosts with three instances, applied."""
    return serve(TWO, applied=True, hosts=PLACED, models=MODELS, serve=LIMITED)


@pytest.mark.parametrize(
    ("path", "command"), [("status", "status"), ("plan", "plan"), ("history", "history")]
)
def test_it_is_the_commands_own_document(served: Served, path: str, command: str) -> None:
    answer = served.logged_in("kim").get(f"/api/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.json() == json.loads(served.site.run(command, "--json").out)


def test_what_runs_in_the_words_of_the_management_api(served: Served) -> None:
    answer = served.logged_in("kim").get("/api/inference/loading-status")
    models = answer.json()["models"]
    assert {(m["host"], m["model_id"], m["status"]) for m in models} == {
        ("h", "q", "running"), ("n", "q", "running"), ("n", "r", "running"),
    }  # fmt: skip
    assert {m["gpu_index"] for m in models} == {None}
    assert all(m["endpoint"].endswith("/v1") for m in models)


def test_the_plan_follows_the_file(served: Served) -> None:
    browser = served.logged_in("kim")
    served.site.change(lambda manifest: manifest["models"]["r"].update(n_ctx=4096))
    (operation,) = browser.get("/api/plan").json()["hosts"]["n"]["operations"]
    assert (operation["instance"], operation["action"]) == ("r", "update")


@pytest.mark.parametrize("path", ["status", "plan", "history"])
def test_a_user_of_one_host_is_told_of_no_other(served: Served, path: str) -> None:
    text = served.logged_in("eve").get(f"/api/{path}").text
    assert '"h"' in text
    assert '"n"' not in text


def test_a_user_of_one_model_is_told_of_no_other(served: Served) -> None:
    browser = served.logged_in("ray")
    served.site.change(lambda manifest: manifest["models"]["q"].update(n_ctx=4096))
    for path in ("status", "plan"):
        document = browser.get(f"/api/{path}").json()
        assert list(document["hosts"]) == ["n"]
        assert '"q"' not in json.dumps(document)
    assert browser.get("/api/history").status_code == 403


@pytest.mark.parametrize(
    ("who", "path", "status"),
    [
        ("kim", "h/q", 200),
        ("ray", "n/r", 200),
        ("ray", "n/q", 404),  # another model
        ("eve", "h/q", 403),  # prompts may be in logs
        ("kim", "h/gateway", 404),
        ("kim", "h/..", 404),
        ("kim", "x/q", 404),
    ],
)
def test_who_reads_which_log(served: Served, who: str, path: str, status: int) -> None:
    answer = served.logged_in(who).get(f"/api/instances/{path}/logs")
    assert answer.status_code == status
    assert ("system_info: n_threads = 16" in answer.text) == (status == 200)


def test_a_log_that_goes_on_ends_with_its_reader(served: Served) -> None:
    ended = threading.Event()

    def follow(argv: Any, *, take: Any, **_: object) -> int:
        try:
            take(b"first \x1b[31m<b>line</b>\n")
            while True:
                take(b"")
        except BaseException:
            ended.set()
            raise

    served.site.hosts["h"].follow = follow  # type: ignore[assignment]
    browser = served.logged_in("kim")
    served.site.change(lambda manifest: manifest["serve"]["users"].pop("eve"))
    with browser.stream("GET", "/api/instances/h/q/logs?follow=true") as answer:
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        first = next(answer.iter_lines())
        served.site.change(lambda manifest: manifest["serve"]["users"].pop("kim"))
    assert first == "first \\x1b[31m<b>line</b>"
    assert ended.wait(30)


def test_every_operation_is_described(served: Served) -> None:
    described = served.logged_in("kim").get("/api/openapi.json").json()
    for path in ("/api/management/gpus", "/api/status", "/api/plan", "/api/history"):
        content = described["paths"][path]["get"]["responses"]["200"]["content"]
        assert "$ref" in content["application/json"]["schema"]


def test_metrics_have_the_names_of_monitoring(served: Served) -> None:
    served.site.hosts["n"].unreachable = "no route"
    lines = served.logged_in("kim").get("/metrics").text.splitlines()
    assert 'xgen_instance_up{project="p",host="h",instance="q",model="q"} 1' in lines
    assert 'xgen_collection_error{project="p",host="n",source="host"} 1' in lines
    assert not [line for line in lines if line.startswith("xgen_instance_up") and '"n"' in line]
