"""A site as 0.1.0 left it is read as it is; what is newer on it comes with `--refresh` alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.upgrade.site import CASES, HOST, OldSite
from xgen_deploy.documents.plan import plan_document
from xgen_deploy.errors import XgenError
from xgen_deploy.manifest.from_host import manifest_from
from xgen_deploy.manifest.from_record import manifest_of_record
from xgen_deploy.manifest.yaml_text import yaml_text
from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.plan import Kind, Plan
from xgen_deploy.state.record import HistoryEntry, read_record

OLDER = "its unit was written by an older xgen-deploy"


def said(plan: Plan) -> dict[str, str]:
    return {o.name: f"{o.action}: {o.cause}" for o in plan.operations}


def of_units(plan: Plan) -> tuple[str, ...]:
    """The plan's warnings, without those about the manifest."""
    return tuple(w for w in plan_document(plan).warnings or () if "xgen-deploy" in w)


@pytest.mark.parametrize(
    ("case", "who", "nothing"),
    [
        ("systemd", "2 instances and the gateway run units", "c stays stopped"),
        ("docker", "1 instance runs a unit", "nothing to do"),
    ],
)
def test_there_is_nothing_to_do_and_one_line_about_the_units(
    case: str, who: str, nothing: str
) -> None:
    plan = OldSite(case).plan()
    assert said(plan) == {}
    assert plan.exit_code(detailed=True) == 0
    line = f"{who} of an older xgen-deploy; renew with `xgen-deploy apply --refresh`"
    assert of_units(plan) == (line,)
    text = "\n".join(plan_text(plan, 1.0))
    assert text.count("older xgen-deploy") == 1
    assert nothing in text


def test_slots_that_share_a_context_go_on_sharing_it(tmp_path: Path) -> None:
    """That version left them to the engine where `parallel` is not stated."""
    old = OldSite("docker")
    stated = tmp_path / "site.yaml"
    stated.write_text(old.manifest.read_text().replace("      parallel: 1\n", ""))
    (one,) = old.record["instances"].values()
    del one["spec"]["llama"]["parallel"]
    digest = Spec.model_validate(one["spec"]).digest
    facts = old.facts.model_dump_json(exclude_none=True).replace(one["digest"], digest)
    old.facts, one["digest"] = HostFacts.model_validate_json(facts), digest
    assert said(old.plan(manifest=stated)) == {}
    (refreshed,) = old.plan(refresh=True, manifest=stated).operations
    assert (refreshed.cause, refreshed.diff) == (OLDER, ())
    stated.write_text(stated.read_text().replace("n_ctx: 256", "n_ctx: 288"))
    (changed,) = old.plan(manifest=stated).operations
    assert {d.path: (d.before, d.after) for d in changed.diff} == {
        "llama.parallel": (None, 4),
        "n_ctx": (256, 288),
    }
    assert any("256 shared by 4 slots -> 4 slots x 288" in note for note in changed.notes)


def test_refresh_is_an_update_like_any_other() -> None:
    plan = OldSite("systemd").plan(refresh=True)
    assert said(plan)["a"] == f"update: {OLDER}"
    assert said(plan)["b"] == f"update: {OLDER}"
    assert "c" not in said(plan), "it was stopped on purpose"
    assert [o.strategy for o in plan.operations][:2] == ["start-first", "start-first"]
    assert of_units(plan) == ()
    assert plan.exit_code(detailed=True) == 2


def test_refresh_of_one_model_does_not_start_the_gateway_anew() -> None:
    plan = OldSite("systemd").plan(refresh=True, only="plain")
    assert said(plan)["a"] == f"update: {OLDER}"
    assert "b" not in said(plan)
    gateway = plan.operations[-1]
    assert (gateway.kind, gateway.interrupts) == (Kind.UPDATE_GATEWAY, False)


def test_units_of_this_version_are_not_spoken_of() -> None:
    old = OldSite("docker")
    old.record["instances"]["a"]["unit_version"] = 2
    plan = old.plan()
    assert said(plan) == {}
    assert of_units(plan) == ()


def test_refresh_writes_a_unit_anew_that_would_be_another_one_now() -> None:
    """Though its version is today's: a build of this tool between two releases wrote it."""
    old = OldSite("docker")
    old.record["instances"]["a"]["unit_version"] = 2
    old.wrote("0" * 64)
    assert said(old.plan()) == {}
    assert said(old.plan(refresh=True)) == {"a": f"update: {OLDER}"}


def test_a_configuration_is_reloaded_by_the_next_apply_on_its_host() -> None:
    """A reload costs no request; what starts the gateway anew waits for `--refresh`."""
    old = OldSite("systemd")
    old.stopped("xgen-up_sys-a.service")
    plan = old.plan()
    assert said(plan) == {
        "a": "repair: it was stopped by hand, or exited",
        "gateway": "update: its configuration was written by an older xgen-deploy; "
        "reload, no interruption",
    }
    gateway = plan.operations[-1]
    assert (gateway.kind, gateway.interrupts) == (Kind.UPDATE_GATEWAY, False)
    refreshed = OldSite("systemd").plan(refresh=True).operations[-1]
    assert refreshed.kind is Kind.REFRESH_GATEWAY


def test_what_an_apply_of_it_began_is_finished() -> None:
    assert said(OldSite("interrupted").plan())["a"] == (
        "update: an earlier apply began it and did not finish"
    )


@pytest.mark.parametrize("case", CASES)
def test_its_digests_hold(case: str) -> None:
    old = OldSite(case)
    record = read_record(json.dumps(old.record), old.record["project"], HOST)
    assert record.instances
    for name, one in record.instances.items():
        assert one.spec.digest == one.digest, name
    if record.gateway is not None:
        assert record.gateway.spec.digest == record.gateway.digest


@pytest.mark.parametrize("case", CASES)
def test_its_history_loads(case: str) -> None:
    files = sorted((OldSite(case).folder / "history").iterdir())
    assert files
    for file in files:
        entry = HistoryEntry.model_validate_json(file.read_bytes())
        assert entry.format == 1
        assert entry.declared


def test_a_newer_record_is_refused_in_a_sentence() -> None:
    old = OldSite("docker")
    old.record["format"] = 3
    with pytest.raises(XgenError, match="newer than this tool knows"):
        read_record(json.dumps(old.record), "up_doc", HOST)


@pytest.mark.parametrize("case", ["systemd", "docker"])
def test_its_record_alone_makes_a_manifest(case: str, tmp_path: Path) -> None:
    """That version kept none; nothing of the instances is to change by it."""
    old = OldSite(case)
    record = read_record(json.dumps(old.record), old.record["project"], HOST)
    kept = manifest_of_record(record, "x")
    assert kept is not None
    path = tmp_path / "night.yaml"
    path.write_text(yaml_text(manifest_from(kept, Host(name=HOST))))
    plan = old.plan(manifest=path)
    assert {name: text for name, text in said(plan).items() if name != "gateway"} == {}
