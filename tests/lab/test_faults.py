"""At every operation of a plan the tool is killed, its host cut off, or the host's disk full; one
more apply converges, and nothing is left over.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab import engine_site
from tests.lab.conftest import Lab, long
from tests.lab.engine_site import tiny
from tests.lab.host import LabHost
from tests.lab.site import Site

PROJECT = "t_fault"
FOLDERS = ("/var/lib/xgen-deploy", "/etc/xgen-deploy", "/etc/systemd/system")


@pytest.fixture(scope="module")
def host(lab: Lab) -> Iterator[LabHost]:
    """Where the tool writes to is a disk of two megabytes."""
    found = lab.host("lab-gateway")
    engine_site.place_models(found)
    for folder in FOLDERS:
        found.sh(
            f"mkdir -p {folder}; rm -rf /run/kept; cp -a {folder} /run/kept;"
            f" mount -t tmpfs -o size=2M,mode=755 xgen-lab-little {folder};"
            f" cp -a /run/kept/. {folder}/; rm -rf /run/kept"
        )
    yield found
    for folder in FOLDERS:
        found.sh(f"umount --lazy {folder}")
    found.sh("systemctl daemon-reload; rmdir /var/lib/xgen-deploy /etc/xgen-deploy || true")


@pytest.fixture(scope="module")
def site(host: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    found = Site(tmp_path_factory.mktemp("fault"), PROJECT, ports="8141-8156")
    found.hosts[host.name] = {"ansible_host": host.address}
    found.top["gateway"] = {"host": host.name, "port": 8095}
    for name in ("created", "first", "stopped", "removed", "broken"):
        found.models[name] = tiny(update={"drain": "5s"})
    found.models["stopped"]["update"]["strategy"] = "stop-first"
    yield found
    assert found.run("destroy", "-y").code == 0
    assert PROJECT not in host.sh("systemctl list-units --all --full --plain; ls /etc/systemd")


def _before(site: Site, host: LabHost) -> None:
    """What ran before the change; one of it is broken then."""
    _serve(site, host, ("first", "stopped", "removed", "broken"), n_ctx=256)
    site.apply("--lock-wait", "60")
    host.sh(f"systemctl stop 'xgen-{PROJECT}-broken*.service'")  # in either slot


def _change(site: Site, host: LabHost) -> None:
    _serve(site, host, ("first", "stopped", "broken", "created"), n_ctx=320)
    site.models["broken"]["n_ctx"] = 256


def _serve(site: Site, host: LabHost, models: tuple[str, ...], n_ctx: int) -> None:
    site.placements.clear()
    for model in models:
        site.models[model]["n_ctx"] = n_ctx
        site.serve(host.name, model)


def _kill(process: subprocess.Popen[str], host: LabHost) -> None:
    process.kill()


def _cut(process: subprocess.Popen[str], host: LabHost) -> None:
    host.unplug()


def _fill(process: subprocess.Popen[str], host: LabHost) -> None:
    for folder in FOLDERS:
        host.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=4k"], check=False)


FAULTS = {"killed": _kill, "cut off": _cut, "disk full": _fill}


@contextmanager
def _mended(host: LabHost, fault: str) -> Iterator[None]:
    try:
        yield
    finally:
        if fault == "cut off":
            host.plug()
        for folder in FOLDERS:
            host.run(["rm", "-f", f"{folder}/filler"])


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


def _strike(site: Site, host: LabHost, fault: str, operation: str) -> None:
    """When the operation has begun; the tool must come to an end by itself, without a traceback."""
    with _mended(host, fault):
        process = site.start("apply", "-y", "--json")
        for event in _events(process):
            if event.get("instance") == operation and event["kind"] in ("plan", "start"):
                FAULTS[fault](process, host)
                break
        rest = process.communicate(timeout=240)[0]
    assert "Traceback" not in rest
    assert process.returncode in (-9, 1), rest


def _converges(site: Site, host: LabHost) -> None:
    site.apply("--lock-wait", "60")
    assert site.plan(0).operations(host.name) == []
    assert site.run("status").code == 0
    state = f"/var/lib/xgen-deploy/{PROJECT}"
    assert host.sh(f"ls {state}/previous 2>/dev/null || true") == ""
    record = json.loads(host.sh(f"cat {state}/record.json"))
    lying = {f"{n}{r.get('slot', '')}" for n, r in record["instances"].items()}
    units = {f"xgen-{PROJECT}-{name}.service" for name in lying | {"gateway"}}
    found = host.sh(f"ls /etc/systemd/system | grep '^xgen-{PROJECT}-.*service$'").split()
    assert set(found) == units
    assert set(host.sh(f"ls /etc/xgen-deploy/{PROJECT}").split()) <= lying | {"gateway"}
    running = host.sh(
        f"systemctl list-units --plain --no-legend 'xgen-{PROJECT}-*.service' | cut -d' ' -f1"
    )
    assert set(running.split()) == units


@pytest.fixture(scope="module")
def operations(site: Site, host: LabHost) -> list[str]:
    """Of the change, as its plan names them."""
    _before(site, host)
    _change(site, host)
    planned = site.plan(2).operations(host.name)
    strategies = {o["instance"]: o["strategy"] for o in planned}
    assert strategies["first"] == "start-first"
    assert strategies["stopped"] == "stop-first"
    assert {o["action"] for o in planned} == {"create", "update", "repair", "remove"}
    return [o["instance"] for o in planned]


@pytest.mark.parametrize(
    "fault", ["killed", *(pytest.param(f, marks=long) for f in ("cut off", "disk full"))]
)
def test_one_more_apply_converges(
    site: Site, host: LabHost, operations: list[str], fault: str
) -> None:
    wrong = []
    for operation in operations:
        _before(site, host)
        _change(site, host)
        try:
            _strike(site, host, fault, operation)
            _converges(site, host)
        except AssertionError as error:
            wrong.append(f"{fault} at {operation}: {error}")
    assert wrong == []
