"""Up is not enough: what is wrong with a new version is found at its gate, told with its own log,
and the version that worked serves again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from tests.apply.conftest import MODEL, MakeSite
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.transport.base import Completed, Reply

NEW = "--ctx-size 8192"
ENDED = "The previous version was put back and serves again"


@dataclass(frozen=True)
class Case:
    """How the new version misbehaves, and what is said of it."""

    about: str
    engine: Engine
    said: str


CASES = (
    Case(
        "ends at once",
        Engine(dies="at once", complaint="unable to load model"),
        "it exited: exit status 1. The engine said: unable to load model",
    ),
    Case("dies of its first prompt", Engine(dies="after a request"), "it exited: exit status 1"),
    Case("is never ready", Engine(health=503), "not ready in time; /health: HTTP 503"),
    Case("never listens", Engine(health=0), "not ready in time; /health: Connection refused"),
    Case(
        "answers with an error",
        Engine(answer=Reply(500, b"out of memory")),
        "a real request failed: /v1/completions: HTTP 500 out of memory",
    ),
    Case(
        "answers with nothing",
        Engine(answer=Reply(200, b'{"choices": []}')),
        "a real request failed: /v1/completions: HTTP 200",
    ),
    Case("fewer layers", Engine(layers=20), "asked for every layer; the engine placed 20 of 37"),
    Case("no GPU", Engine(card=None), "the engine put everything on the CPU"),
    Case("a smaller context", Engine(context=512), "asked for a context of 4096; a slot has 512"),
    Case("a log that is not kept", Engine(kept=0), "the engine's log has no report of its start"),
    Case("a log without its load", Engine(kept=1), "the engine's log has no report of its start"),
)


@pytest.fixture
def gpu_site(make_site: MakeSite) -> FakeSite:
    """A model on a GPU, applied."""
    made = make_site({"h": "h100"}, hosts={"h": [{"model": "q", "gpus": [0]}]})
    made.apply()
    made.forget()
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.about)
def test_a_bad_update_is_undone(case: Case, gpu_site: FakeSite) -> None:
    host, before = gpu_site.hosts["h"], gpu_site.record()["instances"]
    host.engines[NEW] = case.engine
    gpu_site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    said = gpu_site.apply(code=1)
    assert case.said in said, said
    assert ENDED in said
    (running,) = host.running()
    assert (running.context, running.healthy) == (2048, True)
    record = gpu_site.record()
    assert (record["instances"], record["pending"]) == (before, {})
    assert record["last_apply"]["outcome"] == "failed"
    assert not host.systemd.guards
    assert LAYOUT.failed_log("q") in host.files
    assert gpu_site.pending_operations() == ["h/q update"]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.about)
def test_a_bad_first_version_is_taken_away(case: Case, make_site: MakeSite) -> None:
    site = make_site({"h": "h100"}, hosts={"h": [{"model": "q", "gpus": [0]}]})
    host = site.hosts["h"]
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    host.engines[NEW] = case.engine
    said = site.apply(code=1)
    assert case.said in said, said
    assert "It was stopped and taken away; nothing was there before" in said
    assert host.running() == []
    assert LAYOUT.definition("q") not in host.files
    assert (site.record()["instances"], site.record()["pending"]) == ({}, {})
    host.engines.clear()
    site.apply()
    assert [p.context for p in host.running()] == [4096]


def test_another_card_than_the_stated_one(make_site: MakeSite) -> None:
    placed = [{"model": "q", "gpus": [0]}]
    site = make_site({"h": "strix"}, hosts={"h": placed})
    site.hosts["h"].engines["/opt/engine"] = Engine(card="0000:01:00.0")
    said = site.apply(code=1)
    assert "asked for GPU 0000:c4:00.0; the engine used 0000:01:00.0" in said


def test_a_crash_loop_is_told_from_a_slow_start(gpu_site: FakeSite) -> None:
    """It is started again while its gate waits: that is no time to wait any longer."""
    host = gpu_site.hosts["h"]
    host.engines[NEW] = Engine(health=503)
    asked = 0

    def restarts(argv: tuple[str, ...], _: str) -> None:
        nonlocal asked
        if argv[:2] == ("systemctl", "show") and "NRestarts" in argv[2]:
            asked += 1
            host.systemd.unit("xgen-p-q.service").restarts = int(asked > 3)

    host.before = restarts
    gpu_site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    began = gpu_site.clock.skipped
    said = gpu_site.apply(code=1)
    assert "it exited and was restarted" in said
    assert ENDED in said
    assert gpu_site.clock.skipped - began < 60


def test_the_gate_waits_as_long_as_the_manifest_says(make_site: MakeSite) -> None:
    site = make_site(models={"q": {**MODEL, "update": {"timeout": "20m"}}})
    site.hosts["h"].engines["/opt/engine"] = Engine(health=503)
    site.apply(code=1)
    assert 1190 < site.clock.skipped < 1210


def test_what_is_known_of_a_long_loading_is_told_at_intervals(gpu_site: FakeSite) -> None:
    gpu_site.hosts["h"].engines[NEW] = Engine(health=503)
    gpu_site.hosts["h"].bytes_read = 3 << 30
    gpu_site.change(lambda m: m["models"]["q"].update(n_ctx=4096, update={"timeout": "2m"}))
    said = gpu_site.apply(code=1)
    told = [line for line in said.splitlines() if "loading the model: " in line]
    assert 2 <= len(told) <= 5, told
    assert "GiB read" in told[0]
    assert "last time" in told[0]


@pytest.mark.parametrize(
    ("prints", "why"),
    [
        ({}, "the journal has no line of this start: journald keeps none here, or has dropped"),
        (
            {"StandardOutput": "StandardOutput=null\n"},
            "systemd sends what it prints to null (`DefaultStandardOutput=` in system.conf)",
        ),
        (
            {"MESSAGE_ID=": '{"MESSAGE": "Suppressed 1234 messages from xgen-p-q.service",'
                            ' "__MONOTONIC_TIMESTAMP": "1"}'},
            "journald suppressed 1234 messages from xgen-p-q.service (`RateLimitBurst=` in",
        ),
    ],
)  # fmt: skip
def test_nothing_is_proved_on_the_cpu_by_a_log_that_was_not_kept(
    prints: dict[str, str], why: str, site: FakeSite
) -> None:
    """There a report without a GPU is just what was asked for."""
    host = site.hosts["h"]
    host.engines["/opt/engine"] = Engine(kept=0)
    host.before = lambda argv, _: next((t for k, t in prints.items() if k in " ".join(argv)), None)
    said = site.apply(code=1)
    assert f"nothing proves that it runs as stated: {why}" in said, said
    assert host.running() == []


def test_what_an_earlier_start_printed_is_not_told_of_a_gateway(gateway_site: FakeSite) -> None:
    host = gateway_site.hosts["g"]
    entry = {"MESSAGE": "words of last week", "_SYSTEMD_INVOCATION_ID": "gateway-of-last-week"}
    entry["__MONOTONIC_TIMESTAMP"] = "9"

    def answers(argv: tuple[str, ...], _: str) -> str | Completed | None:
        if argv[0] == "journalctl":
            return json.dumps(entry)
        fails = argv[:2] == ("systemctl", "reload") and "gateway" in argv[2]
        return Completed(1, "", "Job failed.") if fails else None

    host.before = answers
    gateway_site.change(lambda m: m["gateway"].update(queue_timeout="9s"))
    said = gateway_site.apply(code=1)
    assert "its reload failed: Job failed." in said, said
    assert "last week" not in said
