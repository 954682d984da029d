"""What a plan says of the gateway, from records and facts alone."""

import hashlib
from typing import Any

import pytest

from tests.gateway.running_gateway import CLIENT_KEY, ENGINE_KEY, TEMPLATES
from xgen_deploy.gateway.render import render_gateway
from xgen_deploy.plan.gateway import routes_for, with_gateways
from xgen_deploy.resolve.gateway_needs import needed_listen
from xgen_deploy.state.facts import DockerFacts, FileFacts, HostFacts, PortFacts, ServiceFacts
from xgen_deploy.state.gateway import GATEWAY, GatewayRecord, GatewaySpec
from xgen_deploy.state.gateway_paths import config_file
from xgen_deploy.state.gpu import GPUDetectionResult
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan, Kind, Operation
from xgen_deploy.state.record import InstanceRecord, Record
from xgen_deploy.state.settings import Gateway
from xgen_deploy.state.site import Site
from xgen_deploy.verify.gateway_status import gateway_statuses

LAYOUT = system_layout("p")
UNIT = f"{LAYOUT.service(GATEWAY)}.service"
HAPROXY = FileFacts(path="/usr/sbin/haproxy", kind="file")


def declared(host: str, name: str, model: str = "q", **more: Any) -> InstanceConfig:
    return InstanceConfig(host=host, name=name, model=model, source="/m", ports=(1, 9), **more)


def removal(host: str, name: str) -> Operation:
    return Operation(id=f"{host}/{name}", host=host, name=name, kind=Kind.REMOVE, cause="")


class World:
    """`edge` has the door; `g1` and `g2` serve `q`."""

    def __init__(self) -> None:
        self.gateway: dict[str, Any] = {"hosts": ("edge",), "port": 8080}
        self.declared = [declared("g1", "q"), declared("g2", "q")]
        self.records = {name: Record(project="p") for name in ("edge", "g1", "g2")}
        self.facts: dict[str, dict[str, Any]] = {name: {} for name in self.records}
        self.facts["edge"]["files"] = (HAPROXY,)
        self.unseen: set[str] = set()
        self.new_secrets: dict[str, bool | None] = {}
        self.runs("g1", "q", 8001)
        self.runs("g2", "q", 8001)

    @property
    def site(self) -> Site:
        return Site(
            project="p",
            manifest_file="m",
            manifest_digest="",
            runtime="systemd",
            hosts={n: Host(name=n, address=f"{n}.example") for n in self.records},
            declared=tuple(self.declared),
            gateway=Gateway.model_validate(self.gateway) if self.gateway else None,
        )

    def runs(self, host: str, name: str, port: int, model: str = "q", **more: Any) -> None:
        spec = Spec(
            model=model, backend="llama-server-cpu", runtime="systemd", source="/m",
            model_path="/m", n_ctx=1, listen="0.0.0.0", port=port, **more,
        )  # fmt: skip
        record = self.records[host]
        instances = {**record.instances, name: InstanceRecord(spec=spec, digest=spec.digest)}
        self.records[host] = record.model_copy(update={"instances": instances})

    def applied(self) -> GatewaySpec:
        """As if the planned gateway had been made."""
        (operation,) = self.plan().operations
        assert operation.gateway is not None
        rendered = render_gateway(operation.gateway, LAYOUT, TEMPLATES)
        files = {
            f.path: hashlib.sha256(f.content.encode()).hexdigest()
            for f in (*rendered.files, rendered.definition)
        }
        last = GatewayRecord(spec=operation.gateway, digest=operation.gateway.digest, files=files)
        self.records["edge"] = self.records["edge"].model_copy(update={"gateway": last})
        config = FileFacts(path=config_file(LAYOUT), kind="file", sha256=files[config_file(LAYOUT)])
        service = ServiceFacts(
            name=UNIT, kind="unit", state="active", enabled=True,
            sha256=files[rendered.definition.path],
        )  # fmt: skip
        settings = tuple(FileFacts(path=f.path, kind="file", mode=f.mode) for f in rendered.files)
        self.facts["edge"] |= {
            "files": (HAPROXY, config), "services": (service,), "etc_files": settings,
        }  # fmt: skip
        return operation.gateway

    def befalls(self, **changes: object) -> None:
        """Something happened to the gateway's unit."""
        (service,) = self.facts["edge"]["services"]
        self.facts["edge"]["services"] = (service.model_copy(update=changes),)

    def observed(self) -> dict[str, Observation]:
        return {
            n: Observation(n, self._facts(n), LAYOUT, record)
            for n, record in self.records.items()
            if n not in self.unseen
        }

    def plan(self) -> HostPlan:
        plans = {n: self._own(n) for n in self.records}
        return with_gateways(self.site, plans, self.observed(), self.new_secrets, TEMPLATES)["edge"]

    def _own(self, host: str) -> HostPlan:
        """What the manifest does not name any more is removed."""
        if host in self.unseen:
            return HostPlan(host=host, reachable=False)
        wanted = {d.name for d in self.declared if d.host == host}
        gone = sorted(self.records[host].instances.keys() - wanted)
        return HostPlan(host=host, operations=tuple(removal(host, name) for name in gone))

    def routes(self, plans: dict[str, HostPlan] | None = None) -> dict[str, list[str]]:
        """By model, the servers that the gateway has when these plans are carried out; right now
        without."""
        seen = {n: r for n, r in self.records.items() if n not in self.unseen}
        found = routes_for(self.site, "edge", plans or {}, seen)
        return {r.model: [s.name for s in r.servers] for r in found.models}

    def _facts(self, name: str) -> HostFacts:
        usual = HostFacts(
            probe="python", hostname=name, arch="x86_64", kernel="6", user="root", uid=0, now=0,
            cores=1, gpu=GPUDetectionResult(detection_method="cpu_fallback"), systemd="252",
            docker=DockerFacts(state="absent"),
            record=self.records[name].model_dump_json(exclude_none=True),
        )  # fmt: skip
        return usual.model_copy(update=self.facts[name])


@pytest.fixture
def world() -> World:
    return World()


def said(plan: HostPlan) -> list[str]:
    return [f"{o.action}: {o.cause}" for o in plan.operations]


def test_it_is_created_once(world: World) -> None:
    assert said(world.plan()) == ["create: 1 model on 2 servers"]
    world.applied()
    assert said(world.plan()) == []


def test_another_value_of_a_secret_is_a_reload(world: World) -> None:
    world.applied()
    world.new_secrets["edge"] = True
    plan = world.plan()
    assert said(plan) == ["update: the value of a secret changed; reload, no interruption"]
    assert not plan.operations[0].interrupts


def test_more_and_fewer_servers_are_no_reload(world: World) -> None:
    world.applied()
    world.declared.append(declared("g2", "q-2"))
    world.runs("g2", "q-2", 8002)
    assert said(world.plan()) == ["update: +1 server; no interruption"]
    world.applied()
    del world.declared[0]
    plan = world.plan()
    assert said(plan) == ["update: -1 server; no interruption"]
    assert not plan.operations[0].interrupts


def test_an_instance_that_moves_to_another_port_is_followed(world: World) -> None:
    world.applied()
    world.runs("g1", "q", 8009)
    assert said(world.plan()) == ["update: 1 server changed; no interruption"]


@pytest.mark.parametrize(
    ("change", "path", "interrupts"),
    [
        ({"port": 9090}, "port", False),
        ({"port": 443}, "port", True),
        ({"queue_timeout": 5}, "queue_timeout", False),
        ({"listen": "0.0.0.0"}, "listen", False),
        ({"cors": ["https://app.example.net"]}, "cors", False),
        ({"max_body": "8M"}, "max_body", False),
        ({"tls": {"cert": "/c", "key": "/k"}}, "tls.cert", True),
        ({"api_key": CLIENT_KEY}, "api_key.env", False),
    ],
)
def test_a_setting_that_changes_is_shown(
    world: World, change: dict[str, Any], path: str, interrupts: bool
) -> None:
    world.applied()
    world.gateway |= change
    (operation,) = world.plan().operations
    assert path in [d.path for d in operation.diff]
    assert operation.interrupts == interrupts
    assert ("restart" in operation.cause) == interrupts


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"state": "inactive"}, "it was stopped by hand"),
        ({"state": "failed", "result": "exit-code"}, "it failed"),
        ({"sha256": "other"}, "was edited by hand"),
        ({"sha256": None}, "is missing"),
        ({"enabled": False}, "the unit is disabled"),
    ],
)
def test_drift_is_repaired(world: World, change: dict[str, Any], cause: str) -> None:
    world.applied()
    world.befalls(**change)
    (found,) = said(world.plan())
    assert found.startswith("repair: ")
    assert cause in found


def test_an_edited_configuration_is_drift(world: World) -> None:
    world.applied()
    edited = FileFacts(path=config_file(LAYOUT), kind="file", sha256="other")
    world.facts["edge"]["files"] = (HAPROXY, edited)
    assert said(world.plan()) == [f"repair: {edited.path} was edited by hand"]


def test_servers_of_a_host_that_cannot_be_reached_stay(world: World) -> None:
    spec = world.applied()
    world.unseen.add("g2")
    assert said(world.plan()) == []
    world.declared.pop()
    (operation,) = world.plan().operations
    assert operation.gateway is not None
    assert len(operation.gateway.servers) == len(spec.servers) - 1


def test_a_gateway_keeps_the_key_of_a_model_whose_hosts_cannot_be_reached(world: World) -> None:
    for host in ("g1", "g2"):
        world.runs(host, "q", 8001, api_key=ENGINE_KEY, type="embedding")
    world.applied()
    world.unseen |= {"g1", "g2"}
    assert said(world.plan()) == []


def test_another_model_under_the_same_name_leaves_the_old_route_until_it_runs(
    world: World,
) -> None:
    """Also where the change fails, and is tried again."""
    world.applied()
    world.declared[:] = [declared("g1", "q", "new"), declared("g2", "q", "new")]
    assert world.routes() == {"new": [], "q": ["g1.q", "g2.q"]}
    world.runs("g1", "q", 8002, "new")
    assert world.routes() == {"new": ["g1.q"], "q": ["g2.q"]}
    world.runs("g2", "q", 8002, "new")
    assert world.routes() == {"new": ["g1.q", "g2.q"]}


def test_what_the_manifest_no_longer_names_is_served_until_it_is_removed(world: World) -> None:
    """One that moves to another host, and a model that goes for good."""
    world.declared.append(declared("g2", "lone", "lone"))
    world.runs("g2", "lone", 8003, "lone")
    world.applied()
    world.declared[:] = [declared("g2", "q"), declared("g2", "q-2")]
    assert world.routes() == {"q": ["g1.q", "g2.q"], "lone": ["g2.lone"]}
    plans = {"g1": HostPlan(host="g1", operations=(removal("g1", "q"),))}
    assert world.routes(plans) == {"q": ["g2.q"], "lone": ["g2.lone"]}


def test_a_host_whose_record_is_made_up_gets_no_requests_of_others(world: World) -> None:
    """It says that it serves `q` under a name that nobody gave it, and a model of its own."""
    world.declared.append(declared("g2", "own", "own"))
    world.runs("g2", "own", 8003, "own")
    world.applied()
    world.runs("g2", "own", 8003, "q")
    world.runs("g2", "other", 8004, "q")
    world.runs("g2", "more", 8005, "more")
    assert world.routes() == {"q": ["g1.q", "g2.q"], "own": []}


def test_it_is_removed_with_its_section(world: World) -> None:
    world.applied()
    world.gateway = {}
    assert said(world.plan()) == ["remove: no longer in the manifest"]


def test_one_that_an_apply_began_and_did_not_record_is_removed_too(world: World) -> None:
    world.applied()
    world.records["edge"] = Record(project="p")
    world.gateway = {}
    assert said(world.plan()) == ["remove: no longer in the manifest"]


def _no_haproxy(world: World) -> None:
    world.facts["edge"]["files"] = ()


def _port_held(world: World) -> None:
    world.facts["edge"]["ports"] = (
        PortFacts(port=8080, address="0.0.0.0", pid=9, process="nginx", unit="nginx.service"),
    )


def _no_systemd(world: World) -> None:
    world.facts["edge"]["systemd"] = None


def _no_certificate(world: World) -> None:
    world.gateway["tls"] = {"cert": "/c.pem", "key": "/k.pem"}
    world.facts["edge"]["files"] = (HAPROXY, FileFacts(path="/c.pem", kind="absent"))


def _two_keys(world: World) -> None:
    world.runs("g1", "q", 8001, api_key=ENGINE_KEY)


@pytest.mark.parametrize(
    ("befall", "reason"),
    [
        (_no_haproxy, "HAProxy is not installed on this host"),
        (_port_held, "port 8080 is held by nginx (pid 9)"),
        (_no_systemd, "systemd does not run on this host"),
        (_no_certificate, "/c.pem does not exist"),
        (_two_keys, "instances of q (g1/q, g2/q) have different api_keys"),
    ],
)
def test_what_cannot_work_is_refused(world: World, befall: Any, reason: str) -> None:
    befall(world)
    plan = world.plan()
    assert plan.operations == ()
    assert reason in plan.refusals[0].reason
    assert plan.refusals[0].hint


def test_a_door_for_everyone_is_warned_of(world: World) -> None:
    world.gateway["listen"] = "0.0.0.0"
    assert "gateway listens on 0.0.0.0 without TLS and without an api_key" in world.plan().warnings


@pytest.mark.parametrize(
    ("gateways", "host", "listen"),
    [
        ((), "g1", "127.0.0.1"),
        (("g1",), "g1", "127.0.0.1"),
        (("edge",), "g1", "0.0.0.0"),
        (("edge", "g1"), "g1", "0.0.0.0"),
    ],
)
def test_instances_listen_where_a_gateway_needs_it(
    world: World, gateways: tuple[str, ...], host: str, listen: str
) -> None:
    world.gateway = {"hosts": gateways} if gateways else {}
    assert needed_listen(world.site, host) == listen


HEAD = "# pxname,svname,qcur,scur,status,type,check_status,check_code,check_desc,\n"
ROW = "{pool},{name},0,0,{status},2,L7OK,200,fine,\n"


def test_status_says_who_answers(world: World) -> None:
    world.declared.append(declared("g1", "big", "big", fallback=("q",)))
    world.declared.append(declared("g1", "lone", "lone"))
    world.runs("g1", "big", 8003, "big")
    world.runs("g1", "lone", 8004, "lone")
    world.applied()
    rows = [("q", "g1.q", "UP"), ("q", "g2.q", "DOWN"), ("big", "g1.big", "DOWN"),
            ("lone", "g1.lone", "DOWN")]  # fmt: skip
    world.facts["edge"]["gateway_stats"] = HEAD + "".join(
        ROW.format(pool=p, name=n, status=s) for p, n, s in rows
    )
    (gateway,) = gateway_statuses(world.site, world.observed())
    assert gateway.line == "http://127.0.0.1:8080  up  1 of 4 servers; nothing answers for lone"
    assert (gateway.by_fallback, gateway.good) == (("big",), False)


@pytest.mark.parametrize(("processes", "old"), [(2, 0), (5, 3), (1, 0), (None, None)])
def test_status_counts_replaced_processes(
    world: World, processes: int | None, old: int | None
) -> None:
    world.applied()
    world.facts["edge"]["gateway_stats"] = HEAD
    world.facts["edge"]["gateway_processes"] = processes
    (gateway,) = gateway_statuses(world.site, world.observed())
    assert gateway.old_processes == old
    assert ("old processes: 3" in gateway.line) is (old == 3)


def test_status_of_a_gateway_that_is_down(world: World) -> None:
    world.applied()
    world.befalls(state="failed")
    (gateway,) = gateway_statuses(world.site, world.observed())
    assert (gateway.status, gateway.reason) == ("down", "its unit is failed")


def test_the_gateway_is_the_last_of_its_hosts_operations(world: World) -> None:
    own = removal("edge", "x")
    plans = {n: HostPlan(host=n) for n in world.records}
    plans["edge"] = HostPlan(host="edge", operations=(own,))
    found = with_gateways(world.site, plans, world.observed(), {}, TEMPLATES)["edge"].operations
    assert [o.name for o in found] == ["x", GATEWAY]


def test_its_container_belongs_to_the_unit_of_the_daemon_and_has_the_host_s_users() -> None:
    """Docker shares the host's network with no container whose users it maps."""
    usual = GatewaySpec(image="haproxy:3", port=8080)
    spec = GatewaySpec(
        image="haproxy:3", port=8080, docker_unit="dockerd.service", docker_userns=True
    )
    rendered = render_gateway(spec, LAYOUT, TEMPLATES)
    lines = rendered.definition.content.splitlines()
    assert "Requires=dockerd.service" in lines
    assert "WantedBy=multi-user.target dockerd.service" in lines
    assert rendered.argv[rendered.argv.index("--userns") + 1] == "host"
    assert "--userns" not in render_gateway(usual, LAYOUT, TEMPLATES).argv
    assert spec.needs_restart(usual)
