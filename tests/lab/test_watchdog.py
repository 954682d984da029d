"""The watchdog over a real engine: a long answer, a hang, its interpreter, its own death; and what
is said of an instance that lies in its second slot."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, small_model

PROJECT = "tw_watch"
STATE = f"/var/lib/xgen-deploy/{PROJECT}"
UNIT = f"xgen-{PROJECT}-gemma.service"
TIMER, WATCHDOG = f"xgen-{PROJECT}.timer", f"xgen-{PROJECT}.service"
PORT, GATEWAY = 8691, 8093
# A copy below a home that nobody else may look into.
PYTHON = "/home/deploy/tw-python/python3"


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    found = lab.host("lab-bare")
    folder = PYTHON.rsplit("/", 1)[0]
    found.sh(f"install -d -m 700 -o deploy {folder}; cp $(readlink -f /usr/bin/python3) {PYTHON}")
    return found


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One slot, behind a gateway. Its timer is off: the tests look themselves."""
    found = Site(tmp_path_factory.mktemp("watchdog"), PROJECT, ports=f"{PORT}-{PORT + 3}")
    found.models["gemma"] = small_model(n_ctx=4096, llama={"parallel": 1, "threads": 1})
    found.serve(host.name)
    found.hosts[host.name] = {"ansible_python_interpreter": PYTHON}
    found.top["gateway"] = {"host": host.name, "listen": "0.0.0.0", "port": GATEWAY}
    found.apply()
    host.sh(f"systemctl stop {TIMER}")
    yield found
    assert found.run("destroy", "-y").code == 0
    host.sh(f"rm -r {PYTHON.rsplit('/', 1)[0]}")


def test_it_runs_the_interpreter_of_a_home_and_one_of_roots(site: Site, host: LabHost) -> None:
    assert f"ExecStart={PYTHON} -I {STATE}/heal.py" in host.sh(f"systemctl cat {WATCHDOG}")
    host.sh(f"systemctl start {WATCHDOG}; cp {PYTHON} /root/tw-python")
    with _interpreter(host, "/root/tw-python"):
        host.sh(f"systemctl start {WATCHDOG}")
    host.sh("rm /root/tw-python")


@contextmanager
def _interpreter(host: LabHost, path: str) -> Iterator[None]:
    """The watchdog's unit runs another one within the block."""
    folder = f"/run/systemd/system/{WATCHDOG}.d"
    argv = f"{path} -I {STATE}/heal.py {STATE}/heal.json {STATE}/heal.state"
    host.sh(
        f"mkdir {folder}; printf '[Service]\\nExecStart=\\nExecStart={argv}\\n' > {folder}/x.conf"
    )
    host.sh("systemctl daemon-reload")
    try:
        yield
    finally:
        host.sh(f"rm -r {folder}; systemctl daemon-reload")


def _look(host: LabHost) -> dict[str, Any]:
    """Once; what it remembers of the instance."""
    host.sh(f"systemctl start {WATCHDOG}")
    state: dict[str, Any] = json.loads(host.sh(f"cat {STATE}/heal.state"))["instances"]["gemma"]
    return state


def _run(host: LabHost) -> str:
    return host.sh(f"systemctl show --property=InvocationID --value {UNIT}")


def _impatient(host: LabHost) -> None:
    """Whatever does not move between two looks hangs."""
    config = json.loads(host.sh(f"cat {STATE}/heal.json"))
    config["limits"] = {"pause": 0.0, "page": 1.0}
    config["instances"]["gemma"]["still"] = 0.001
    host.run(["tee", f"{STATE}/heal.json"], stdin=json.dumps(config))


def test_a_long_answer_is_no_hang_and_a_stopped_process_is_one(site: Site, host: LabHost) -> None:
    _impatient(host)
    before = _run(host)
    assert _look(host)["answered"]
    connection = http.client.HTTPConnection(host.address, GATEWAY, timeout=60)
    body = {"model": "gemma", "prompt": "Count:", "max_tokens": 3000, "ignore_eos": True}
    connection.request("POST", "/v1/completions", json.dumps({**body, "stream": True}))
    answer = connection.getresponse()
    counted = []
    for _ in range(6):
        assert [answer.readline() for _ in range(20)][-1]
        counted.append(_look(host)["counters"])
    assert sorted(set(counted)) == counted, "it moves from look to look"
    assert _run(host) == before

    host.sh(f"systemctl kill --signal=STOP {UNIT}")
    connection.close()
    assert "nothing has moved" in _look(host)["reason"]
    asked = json.dumps({"model": "gemma", "prompt": "Count:", "max_tokens": 1})
    through = f"http://127.0.0.1:{GATEWAY}/v1/completions"
    host.sh(f"until curl -sf {through} -d '{asked}'; do sleep 0.2; done")
    assert _run(host) != before


def test_a_watchdog_that_cannot_run_is_told_and_is_no_failure(site: Site, host: LabHost) -> None:
    def told() -> dict[str, Any]:
        done = site.run("status", "--json")
        assert done.code == 0, done.said
        found: dict[str, Any] = done.json()["hosts"][host.name]["watchdog"]
        return found

    assert told()["state"] == "stopped"
    with _interpreter(host, "/no/such/python3"):
        host.sh(f"systemctl start {TIMER}")
        host.run(["systemctl", "start", WATCHDOG], check=False)
        dead = told()
        shown = site.run("status").stdout
    assert dead["state"] == "failed"
    assert "its interpreter could not be started" in dead["reason"]
    assert f"WATCHDOG  {host.name}: its last run failed" in shown
    host.sh(f"systemctl start {WATCHDOG}")
    assert told() == {"state": "running", "reason": None}
    host.sh(f"systemctl stop {TIMER}")


def test_a_second_slot_that_was_restarted_is_seen_as_what_it_is(site: Site, host: LabHost) -> None:
    site.models["gemma"] |= {"n_ctx": 2048, "update": {"strategy": "start-first"}}
    site.apply()
    host.sh(f"systemctl restart {UNIT.removesuffix('.service')}.b.service")
    host.sh(f"until curl -sf http://127.0.0.1:{PORT + 1}/health; do sleep 0.2; done")
    done = site.run("status", "--json")
    (row,) = done.json()["models"]
    assert (row["status"], row["context_length"], row["total_layers"]) == ("running", 2048, 19)
    host.sh(f"systemctl start {TIMER}")  # `verify` wants it
    proved = site.run("verify")
    host.sh(f"systemctl stop {TIMER}")
    assert proved.code == 0, proved.said
