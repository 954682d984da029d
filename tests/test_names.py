"""No name that the tool makes on a host or in a gateway can be somebody else's."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from tests.manifest.test_json_schema import errors_of_instance_name
from xgen_deploy.state.endpoint import Endpoint
from xgen_deploy.state.field_types import is_instance_name
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.host import Host
from xgen_deploy.state.layout import SECOND, Layout, process_layout, system_layout
from xgen_deploy.state.routes import build_routes

NAMES = (
    *("x", "x-guard", "x-b", "x-put-back", "x-next", "x.service", "x.service.n", "x.log"),
    *("a", "a-gateway", "gateway-a", "gateway.x", "guard", "b", "next", "put-back", "x.guard-2"),
    *("q-r", "q.r", "q", "r", "heal", "record.json", "lock", "lock.queue", "history", "previous"),
    *("failed", "put-back.sh", "heal.state", "x.conf", "x.timer", "x.bb", "x.b.c", "haproxy.cfg"),
    *("x-drained", "h.x", "x.drained-2"),
)
TAKEN = (
    *("gateway", "x.b", "x.guard", "x.put-back", "x.drained", "x.next", "x.b.guard", ".b"),
    *("x/y", ".."),
)


def _of_instance(layout: Layout, name: str) -> Iterator[tuple[str, str]]:
    """Where a name stands, and the name."""
    yield "file", layout.previous(name)
    yield "file", layout.failed_log(name)
    if layout.process_dir is not None:
        for rotated in ("", ".1", ".2"):
            yield "file", layout.log(name) + rotated
    for name_on_host in (name, name + SECOND):
        for unit in (
            f"{layout.service(name_on_host)}.service",
            layout.guard(name_on_host),
            layout.drained_guard(name_on_host),
        ):
            yield "unit", unit
        yield "unit", layout.boot_unit(name_on_host).rpartition("/")[2]
        yield "container", layout.service(name_on_host)
        for path in (
            layout.definition(name_on_host),
            layout.next_definition(name_on_host),
            layout.boot_unit(name_on_host),
            layout.settings(name_on_host),
            layout.next_settings(name_on_host),
        ):
            yield "file", path


def _of_project(layout: Layout) -> Iterator[tuple[str, str]]:
    for kind in ("service", "timer"):
        yield "unit", f"{layout.watchdog}.{kind}"
        yield "file", f"{layout.unit_dir}/{layout.watchdog}.{kind}"
    for path in (
        *(layout.record, layout.engines, layout.models, layout.lock, layout.lock_queue),
        *(layout.history, layout.watchdog_state, layout.put_back_script),
        *(f"{layout.state_dir}/{name}" for name in ("heal.py", "heal.json", "previous", "failed")),
    ):
        yield "file", path


@pytest.mark.parametrize("kind", ["system", "process"])
def test_no_two_owners_share_a_name_on_a_host(kind: str) -> None:
    owners: dict[tuple[str, str], set[str]] = defaultdict(set)
    for project in ("p", "p_q", "q"):
        layout = system_layout(project) if kind == "system" else process_layout(project, "/home/s")
        for key in _of_project(layout):
            owners[key].add(project)
        for name in (*NAMES, GATEWAY):
            for key in _of_instance(layout, name):
                owners[key].add(f"{project} {name}")
    assert {key: found for key, found in owners.items() if len(found) > 1} == {}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_only_looks_like_the_tool_s_own_is_taken(name: str) -> None:
    assert is_instance_name(name)
    assert errors_of_instance_name(name) == []


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_is_the_tool_s_own_is_refused_by_the_editor_s_schema_too(name: str) -> None:
    assert not is_instance_name(name)
    assert errors_of_instance_name(name)


def _serving(host: str, instance: str, model: str, *, second: bool = False) -> Endpoint:
    return Endpoint(
        host=host, instance=instance, model=model, listen="0.0.0.0", port=1, second=second
    )


def test_no_two_servers_of_a_gateway_share_a_name_and_all_others_keep_theirs() -> None:
    endpoint = [
        _serving("h.x", "y", "m"),
        _serving("h", "x.y", "other"),
        _serving("h.x", "b", "m"),
        _serving("h", "x", "m"),
        _serving("h", "x", "m", second=True),
        _serving("h", "plain", "m"),
    ]
    hosts = {name: Host(name=name, address=name) for name in ("h", "h.x")}
    routes = build_routes(Host(name="door"), hosts, endpoint, {"m": (), "other": ()})
    names = [s.name for s in routes.servers]
    assert len(set(names)) == len(endpoint)
    assert {"h.plain", "h.x"} <= set(names)
    assert "h.x.y" not in names
    again = build_routes(Host(name="door"), hosts, endpoint[::-1], {"other": (), "m": ()})
    assert {s.name for s in again.servers} == set(names), "whatever their order"


def test_no_two_models_of_a_gateway_share_a_pool() -> None:
    first = build_routes(Host(name="door"), {}, (), {"a/b": ()}).models[0].pool
    routes = build_routes(Host(name="door"), {}, (), {"a/b": (), first: (), "plain": ()})
    pools = [route.pool for route in routes.models]
    assert len(set(pools)) == 3
    assert "plain" in pools
