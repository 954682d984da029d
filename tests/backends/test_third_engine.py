"""An engine is one class and one line of the registry: one that no other file names goes the whole
way from a manifest to its gate, its checks, the gateway and the watchdog.
"""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plan import deciding, world
from tests.plan.world import World
from xgen_deploy.apply import gate
from xgen_deploy.apply.service_manager import State
from xgen_deploy.backends import registry
from xgen_deploy.backends.availability import available_backends
from xgen_deploy.backends.base import Backend, Command, KeyFile, Place
from xgen_deploy.backends.endpoint import endpoint_of
from xgen_deploy.backends.hardware import EVERYWHERE
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.json_schema import json_schema
from xgen_deploy.render.instance import Renderer
from xgen_deploy.render.templates import Templates
from xgen_deploy.render.watchdog import watchdog_files
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.state.instance import Instance, Spec
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.transport.base import Reply
from xgen_deploy.verify.checks import check_report, check_request

NAME = "echo-server"
TEMPLATE = "echo-server.args.j2"
ROOT = Path(__file__).parents[2]


class EchoServer(Backend):
    """Says what it was asked. The next engine's module is such a class."""

    title = "Echo"
    family = "echo"
    formats = ("gguf",)
    container_port = 9000
    api_key = KeyFile("key", "api-key.j2")
    health_path = "/ready"
    offloads_layers = False
    counters = ("echo:answered_total",)
    in_flight = ("echo:open",)

    def command(self, instance: Instance, place: Place) -> Command:
        return Command(TEMPLATE, {"place": place, "spec": instance.spec})

    def read_report(self, log: str) -> LoadReport | None:
        return LoadReport(version="1") if "echo 1" in log else None

    def slots(self, spec: Spec) -> int:  # noqa: ARG002
        return 7


ECHO = EchoServer(NAME, "cpu", EVERYWHERE)


class Session:
    """Of a host where it runs."""

    def request(self, method: str, *_: object, **__: object) -> Reply:
        body = {"choices": [{"text": "Hello"}]} if method == "POST" else {}
        return Reply(200, json.dumps(body).encode())


class Running:
    def state(self, _service: str) -> State:
        return State(alive=True, detail="running", run="r1")

    def log(self, _service: str, _run: str | None, **_: object) -> str:
        return "echo 1\n"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line, and the template beside the others."""
    monkeypatch.setattr(registry, "ENGINES", (*registry.ENGINES, ECHO))
    texts = {
        **read_templates(),
        TEMPLATE: "--model {{ place.model_path }}\n--port {{ place.port }}\n",
    }
    for module in (deciding, world):
        monkeypatch.setattr(module, "RENDERER", Renderer(Templates(texts), "python3"))
    monkeypatch.setattr(gate, "SOAK", 0.0)


def case(**more: Any) -> dict[str, Any]:
    return {
        "host": "cpu",
        "models": {"m": {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 4096, **more}},
        "place": [{"model": "m"}],
        "top": {"binaries": {NAME: "/opt/echo"}},
    }


@pytest.fixture
def applied(tmp_path: Path) -> World:
    there = World(case(backend=NAME, llama={"threads": 3}, api_key={"env": "K"}), tmp_path)
    there.apply()
    return there


def test_a_manifest_names_it_and_it_is_planned(tmp_path: Path) -> None:
    plan = World(case(backend=NAME), tmp_path).plan()
    assert plan.refusals == ()
    (operation,) = plan.operations
    assert operation.instance is not None
    assert (operation.instance.spec.backend, operation.instance.spec.binary) == (NAME, "/opt/echo")


@pytest.mark.parametrize("backend", ["auto", "echo"])
def test_it_is_chosen_where_no_other_is_ready(tmp_path: Path, backend: str) -> None:
    (instance,) = World(case(backend=backend), tmp_path).scene.resolved().instances
    assert instance.spec.backend == NAME


def test_a_family_s_entry_of_the_tables_is_one_for_it(tmp_path: Path) -> None:
    top = {"binaries": {"echo": "/opt/family"}}
    (instance,) = World(case(backend=NAME) | {"top": top}, tmp_path).scene.resolved().instances
    assert instance.spec.binary == "/opt/family"


def test_it_is_rendered_and_others_settings_are_ignored_and_said(applied: World) -> None:
    (instance,) = applied.scene.resolved().instances
    rendered = deciding.RENDERER.on(applied.scene.layout).render(instance, None)
    model, port = instance.spec.model_path, str(instance.spec.port)
    assert rendered.argv == ("/opt/echo", "--model", model, "--port", port)
    assert f"llama is ignored: {NAME} serves here" in instance.notes


def test_what_was_applied_is_unchanged(applied: World) -> None:
    assert applied.plan().unchanged == ("m",)


def test_it_passes_its_gate_and_its_checks(applied: World) -> None:
    (instance,) = applied.scene.resolved().instances
    session: Any = Session()
    running: Any = Running()
    passed = gate.Gate(instance, "xgen-p-m", ECHO, session, running, None)
    report = passed.wait(5.0, lambda: None, lambda _: None).report
    assert report.version == "1"
    checks = (*check_report(instance, report), check_request(instance, session, None))
    assert all(check.ok for check in checks), checks


def test_the_gateway_sends_it_as_much_as_it_works_on(applied: World) -> None:
    endpoint = endpoint_of("h", "m", applied.record.instances["m"].spec)
    assert (endpoint.slots, endpoint.health_path) == (7, "/ready")


def test_the_watchdog_knows_its_metrics_and_its_key(applied: World) -> None:
    texts = Templates(read_templates())
    files = watchdog_files(applied.record, applied.scene.layout, texts, "/usr/bin/python3")
    settings = next(json.loads(f.content) for f in files if f.path.endswith(".json"))
    one = settings["instances"]["m"]
    assert (one["counters"], one["in_flight"]) == (["echo:answered_total"], ["echo:open"])
    assert one["key_file"].endswith("/key")


def test_hardware_and_an_editor_s_schema_have_it() -> None:
    assert NAME in available_backends(()).backends
    assert f'"{NAME}"' in json.dumps(json_schema(registry.engine_words()))


def test_what_is_misspelt_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as told:
        World(case(backend="echo-sever"), tmp_path)
    assert NAME in str(told.value)


# The manifest's sections of settings that are one engine's own, a model's architecture, and the
# label of a metric.
_OTHER = {
    "serve/changes/edits.py": {"llama", "vllm"},
    "watch/relayed.py": {"vllm"},
    "state/settings.py": {"llama", "vllm"},
    "manifest/foreign_words.py": {"llama", "vllm"},
    "fit/replay/decoder.py": {"llama"},
    "transfer/remote/tiny_gguf.py": {"llama"},
}


def _strings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_no_engine_is_named_outside_its_module() -> None:
    words = registry.engine_words()
    names = {*words.backends, *words.families}
    package = ROOT / "xgen_deploy"
    named = {
        f"{path.relative_to(package)}: {text}"
        for path in package.rglob("*.py")
        if "backends" not in path.parts
        for text in names.intersection(_strings(path))
        if text not in _OTHER.get(str(path.relative_to(package)), set())
    }
    assert named == set()
