"""With --json every command prints what its published schema says, however it ends."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import jsonschema
import pytest

from tests.apply.conftest import MakeSite, make_site  # noqa: F401 - a fixture
from tests.fake_host.site import FakeSite, Ran
from xgen_deploy.cli.main import main
from xgen_deploy.documents.events import End
from xgen_deploy.documents.registry import COMMANDS, model_of, output_schema
from xgen_deploy.documents.show import ShowDocument
from xgen_deploy.plan.saved import SavedPlan

GUIDE = Path(__file__).parents[2] / "docs" / "commands.md"
STREAMS = ("apply", "rollback", "destroy", "cordon", "uncordon", "fetch")
CHANGES = ("apply", "rollback", "destroy", "cordon", "uncordon", "stop", "start", "restart")
PLACES = ("cordon", "uncordon")
WORDS = {
    **dict.fromkeys(CHANGES, ("-y",)),
    **dict.fromkeys(PLACES, ("h", "-y")),
    "logs": ("q",),
    "ask": ("q", "Hi"),
}
FIRST = {"projects": ("h",), "support": ("h", "-o", "/dev/null"), "config": ("--from-host", "h")}
Case = Callable[[FakeSite], object]


def _with_json() -> list[str]:
    context = click.Context(main)
    commands = {name: main.get_command(context, name) for name in main.list_commands(context)}
    return [n for n, c in commands.items() if c and any(p.name in JSON for p in c.params)]


JSON = ("json", "as_json")
SHOWN = _with_json()


def values(ran: Ran, command: str) -> list[dict[str, Any]]:
    """What was printed, held against the command's schema, with every key that it promises."""
    stream = command in STREAMS
    documents = [json.loads(t) for t in (ran.out.splitlines() if stream else [ran.out])]
    published = output_schema(command)
    strict = model_of(command).model_json_schema(mode="serialization")
    for document in documents:
        for schema in (published, strict):
            jsonschema.Draft202012Validator(schema).validate(document)
    if stream:
        assert [d["kind"] for d in documents].index("end") == len(documents) - 1
        assert documents[-1]["exit_code"] == ran.code
    return documents


def _findings(document: dict[str, Any]) -> list[object]:
    """What `status` and `verify` look for is no error."""
    states = [m for m in document.get("models") or [] if m["status"] != "running"]
    return [*states, *(c for c in document.get("checks") or [] if not c["ok"])]


def _changed(site: FakeSite) -> None:
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))


def _invalid(site: FakeSite) -> None:
    site.change(lambda m: m["models"]["q"].update(n_ctx="many"))


def _unreachable(site: FakeSite) -> None:
    for host in site.hosts.values():
        host.unreachable = "no route to host"


def _refused(site: FakeSite) -> None:
    site.change(lambda m: m["hosts"]["h"].append({"model": "q", "name": "r", "gpus": [5]}))


def _locked(site: FakeSite) -> None:
    _changed(site)
    site.hosts["h"].locked_by = "another apply has the lock: user ada"


def _broken_record(site: FakeSite) -> None:
    site.hosts["h"].files["/var/lib/xgen-deploy/p/record.json"] = b"{"


def _interrupted(site: FakeSite) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for host in site.hosts.values():
        host.connect = stop  # type: ignore[method-assign]


CASES: dict[str, Case] = {
    "fine": lambda _: None,
    "with something to do": _changed,
    "invalid": _invalid,
    "unreachable": _unreachable,
    "refused": _refused,
    "locked": _locked,
    "broken record": _broken_record,
    "interrupted": _interrupted,
}


@pytest.fixture
def applied(make_site: MakeSite) -> FakeSite:  # noqa: F811
    """A model, and a gateway on the same host, as it was applied twice."""
    site: FakeSite = make_site(gateway={"host": "h", "port": 9000})
    site.apply()
    site.change(lambda m: m["models"]["q"].update(n_ctx=1024))
    site.apply()
    return site


def test_every_command_with_json_has_a_schema() -> None:
    assert set(COMMANDS) == {*SHOWN, "bundle"}  # that one's commands are in tests/bundle/test_json


@pytest.mark.parametrize("command", COMMANDS)
def test_a_schema_is_one(command: str) -> None:
    schema = output_schema(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert '"additionalProperties": false' not in json.dumps(schema), "keys are added later"


@pytest.mark.parametrize("command", COMMANDS)
def test_the_guide_has_its_keys(command: str) -> None:
    """Those of the document itself; what lies below is in the schema."""
    rows = [line.split("|") for line in GUIDE.read_text().splitlines() if line.startswith("| `")]
    (keys,) = [row[2] for row in rows if f"`{command}`" in _commands_of(row[1]) and "`" in row[2]]
    model = End if command in STREAMS else model_of(command)
    missing = [k for k in model.model_fields if f"`{k}" not in keys and k != "errors"]
    assert not missing


def _commands_of(cell: str) -> list[str]:
    return [f"`{name.split()[0]}`" for name in re.findall("`([^`]+)`", cell)]


@pytest.mark.parametrize("case", CASES)
def test_output_is_as_published(applied: FakeSite, case: str) -> None:
    """An error is in the document where the exit code tells of one."""
    plan = applied.folder / "plan.json"
    manifest_file = str(applied.folder / "manifest.yaml")
    applied.run("plan", "-o", str(plan))
    hosts, manifest = applied.saved(), applied.manifest
    for command in SHOWN:
        if command == "serve":  # it listens until it is told to end: tests/serve
            continue
        applied.restore(hosts)
        applied.change(lambda m: m.update(manifest))
        CASES[case](applied)
        first = FIRST.get(command, (str(plan) if command == "show" else manifest_file,))
        first = ("record", *first) if command == "accept" else first
        ran = applied.call(command, *first, *WORDS.get(command, ()), "--json")
        documents = values(ran, command)
        assert "xgen-deploy itself failed (" not in ran.said, (command, ran)
        told = documents[-1]["errors"] or _findings(documents[-1])
        assert bool(told) is bool(ran.code), (command, ran)


def test_a_saved_plan_is_shown_whole() -> None:
    assert set(ShowDocument.model_fields) == {*SavedPlan.model_fields, "errors"}


def test_an_invalid_manifest_is_every_problem_with_its_place(applied: FakeSite) -> None:
    _invalid(applied)
    applied.change(lambda m: m["models"].update(w={"sorce": "/m"}))
    (document,) = values(applied.run("validate", "--json"), "validate")
    places = [(e["file"], e["line"] > 0, e["column"] > 0) for e in document["errors"]]
    assert (document["valid"], document["project"]) == (False, None)
    assert len(places) >= 2
    assert set(places) == {(str(applied.folder / "manifest.yaml"), True, True)}


def test_an_apply_with_nothing_to_do_ends(applied: FakeSite) -> None:
    ran = applied.run("apply", "--json")
    (end,) = values(ran, "apply")
    assert end.pop("not_verified") == {}
    assert end == {
        "kind": "end", "number": None, "done": 0, "failed": 0, "exit_code": 0, "errors": [],
    }  # fmt: skip


def test_an_apply_tells_what_it_did_and_ends(applied: FakeSite) -> None:
    _changed(applied)
    *events, end = values(applied.run("apply", "-y", "--json"), "apply")
    assert {e["host"] for e in events} == {"h"}
    assert (end["number"], end["failed"], end["errors"]) == (3, 0, [])
    assert end["done"] == sum(e["kind"] == "done" and e["instance"] is not None for e in events)


def test_an_interrupted_apply_ends_with_what_is_unknown(applied: FakeSite) -> None:
    _changed(applied)
    applied.forget()
    applied.hosts["h"].killed, applied.hosts["h"].lost_at = True, 40
    *events, end = values(applied.run("apply", "-y", "--json"), "apply")
    assert events, "it had begun"
    assert (end["done"], end["failed"], end["exit_code"]) == (None, None, 130)
    assert end["errors"][0]["message"].startswith("interrupted")


@pytest.mark.parametrize(
    ("words", "command", "message"),
    [
        (("plan", "M", "--bogus", "--json"), "plan", "No such option"),
        (("apply", "--json", "M", "--lock-wait", "soon"), "apply", "'soon' is not a valid float"),
        (("logs", "M", "q", "-f", "--json"), "logs", "--json cannot follow a log"),
        (("history", "M", "--csv", "--json"), "history", "exclude each other"),
        (("stop", "M", "--json"), "stop", "add -y to carry out this plan"),
        (("show", "gone.json", "--json"), "show", "gone.json cannot be read"),
        (("status", "\udcff.yaml", "--json"), "status", "there is no such file"),
        (("plan", "gone.yaml", "--json"), "plan", "there is no such file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_command_line_that_is_wrong(
    applied: FakeSite, words: tuple[str, ...], command: str, message: str
) -> None:
    """The text is on standard error as ever."""
    manifest = str(applied.folder / "manifest.yaml")
    ran = applied.call(*(manifest if word == "M" else word for word in words))
    assert ran.code == 1
    assert message in values(ran, command)[-1]["errors"][0]["message"]
    assert message in ran.said.replace(ran.out, "")


def test_an_unknown_command_has_its_errors_alone(applied: FakeSite) -> None:
    ran = applied.call("pln", "M", "--json")
    (error,) = json.loads(ran.out)["errors"]
    assert "there is no command `pln`" in error["message"]


@pytest.mark.parametrize("words", [("plan", "--help", "--json"), ("apply", "--json", "--help")])
def test_help_stays_text(applied: FakeSite, words: tuple[str, ...]) -> None:
    assert applied.call(*words).out.startswith("Usage: ")


def test_a_name_of_an_option_is_not_the_option(applied: FakeSite) -> None:
    """Where `--json` is another option's value, the output is text."""
    ran = applied.run("plan", "--limit", "--json")
    assert ran.out == ""
    assert "--json" in ran.said


def test_a_bug_is_in_the_document_too(applied: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xgen_deploy.cli.commands.status.site_status", lambda *_: 1 / 0)
    ran = applied.run("status", "--json")
    (document,) = values(ran, "status")
    assert "ZeroDivisionError" in document["errors"][0]["message"]
    assert document["models"] is None


def test_maintenance_tells_of_each_instance(applied: FakeSite) -> None:
    (document,) = values(applied.run("stop", "-y", "--json"), "stop")
    (instance,) = document["hosts"]["h"]["instances"]
    assert (instance["instance"], instance["outcome"]) == ("q", "done")
    assert document["hosts"]["h"]["done"] == [f"h/q: {instance['text']}"]


def test_each_look_of_a_watch_is_a_document(
    applied: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = iter((None, None))
    # The command's own clock: other threads of this process sleep too.
    clock = SimpleNamespace(time=time.time, sleep=lambda _: next(looks))
    monkeypatch.setattr("xgen_deploy.cli.commands.gpus.time", clock)
    ran = applied.run("gpus", "--watch", "--json")
    first, rest = json.JSONDecoder().raw_decode(ran.out)
    assert list(first["hosts"]) == ["h"]
    assert ran.out[rest:].count('"errors"') >= 2


def test_a_schema_is_printed_by_the_tool_itself(applied: FakeSite) -> None:
    ran = applied.call("schema", "--output", "plan")
    assert json.loads(ran.out) == output_schema("plan")
    assert applied.call("schema", "--output", "init").code == 1
