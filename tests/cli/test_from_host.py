"""At night without the repository: the manifest as a host kept it is one to work with."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.apply.conftest import GATEWAY, MODEL, MakeSite, make_site, q  # noqa: F401 - a fixture
from tests.fake_host.engine import Engine
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite, Ran
from tests.site_file import load_site
from xgen_deploy.manifest.from_host import looked_up

KEPT = LAYOUT.manifest


@pytest.fixture
def applied(make_site: MakeSite) -> FakeSite:  # noqa: F811
    """Two versions of a model on `h`, one after the other, behind the gateway on `g`."""
    models = {"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}}
    hosts = {"h": [q(), q(name="r", port=8010)]}
    site: FakeSite = make_site(
        {"g": "cpu", "h": "cpu"}, gateway=GATEWAY, models=models, hosts=hosts,
        defaults={"n_ctx": 2048}, notify={"webhook": {"env": "OTHER_KEY"}},
    )  # fmt: skip
    site.apply()
    site.change(lambda m: m["models"]["q"].update(n_ctx=1024))
    site.apply()
    return site


def _from_host(site: FakeSite, *words: str) -> Ran:
    return site.call("config", "--from-host", *words)


def _at_night(site: FakeSite) -> None:
    """The manifest is what the host kept."""
    ran = _from_host(site, "h")
    assert ran.code == 0, ran.said
    (site.folder / "manifest.yaml").write_text(ran.out)


def test_it_is_the_manifest_as_applied(applied: FakeSite) -> None:
    before = load_site(str(applied.folder / "manifest.yaml"))
    _at_night(applied)
    after = load_site(str(applied.folder / "manifest.yaml"))
    assert [d.model_dump(exclude={"marks"}) for d in after.declared] == [
        d.model_dump(exclude={"marks"}) for d in before.declared
    ]
    assert after.gateway == before.gateway
    assert after.notify is None, "who is told is not the host's to say"


def test_the_commands_of_a_night_work_from_it(applied: FakeSite) -> None:
    _at_night(applied)
    assert applied.run("status").code == 0
    assert applied.pending_operations() == []
    assert applied.run("restart", "-y", "q").code == 0
    assert applied.run("rollback", "-y", "--to", "1").code == 0
    assert applied.record()["instances"]["q"]["spec"]["n_ctx"] == 2048
    _at_night(applied)
    assert applied.pending_operations() == [], "what a rollback went back to is kept too"


def test_a_failed_apply_leaves_the_one_that_worked(applied: FakeSite) -> None:
    before = applied.hosts["h"].files[KEPT]
    applied.hosts["h"].engines["--ctx-size 8192"] = Engine(dies="at once")
    applied.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    assert applied.run("apply", "-y").code == 1
    assert applied.hosts["h"].files[KEPT] == before


def test_secrets_are_references_and_are_named(applied: FakeSite) -> None:
    ran = _from_host(applied, "h")
    assert "#   env ENGINE_KEY" in ran.out.splitlines()
    assert "sk-" not in ran.out
    assert applied.hosts["h"].modes[KEPT] == 0o600


def test_a_command_that_a_host_would_have_run_here_is_a_warning(applied: FakeSite) -> None:
    """Also of whoever sends the manifest to a file, or as JSON to a program."""
    kept = json.loads(applied.hosts["h"].files[KEPT])
    kept["manifest"]["models"]["q"]["api_key"] = {"command": "pass x\n\x1b[2J"}
    applied.hosts["h"].files[KEPT] = json.dumps(kept).encode()
    for words in ((), ("--json",)):
        err = _from_host(applied, "h", *words).err
        assert "by the word of h this machine would run `pass x" in err
        assert "\x1b" not in err


def test_what_starts_a_model_is_named_beside_the_references(applied: FakeSite) -> None:
    heading = _from_host(applied, "h").out.partition("project:")[0]
    assert "`restart`, `start`, `ask`" in heading


def test_every_reference_is_named() -> None:
    gateway = {"api_key": {"file": "/door"}, "clients": {"a": {"env": "A", "models": ["m"]}}}
    models = {"m": {"env": {"X": {"command": "pass x"}, "Y": "plain"}}}
    assert sorted(looked_up({"gateway": gateway, "models": models, "hosts": {"h": [{}]}})) == [
        "command pass x",
        "env A",
        "file /door",
    ]


def test_the_host_is_reached_as_it_just_was(applied: FakeSite) -> None:
    applied.hosts["192.0.2.7"] = applied.hosts["h"]
    manifest = yaml.safe_load(_from_host(applied, "kim@192.0.2.7:2222").out)
    assert manifest["inventory"]["all"]["hosts"] == {
        "h": {"ansible_host": "192.0.2.7", "ansible_port": 2222, "ansible_user": "kim"},
        "g": {},
    }


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (
            ("inventory", "all", "hosts", "g"),
            {"ansible_host": "evil", "ansible_connection": "local"},
        ),
        (("inventory", "all", "hosts", "h"), {"ansible_ssh_common_args": "-o ProxyJump=evil"}),
        (("notify",), {"webhook": {"command": "evil"}}),
        (("audit",), {"file": "/root/evil"}),
        (("extends",), "/evil.yaml"),
        (("vars",), {"a": "evil"}),
        (("models", "q", "accept"), {"file": "/root/evil"}),
    ],
)
def test_what_a_host_must_not_decide_is_left_out(
    applied: FakeSite, where: tuple[str, ...], value: object
) -> None:
    kept = json.loads(applied.hosts["h"].files[KEPT])
    part = kept["manifest"]
    for key in where[:-1]:
        part = part[key]
    part[where[-1]] = value
    applied.hosts["h"].files[KEPT] = json.dumps(kept).encode()
    ran = _from_host(applied, "h")
    assert ran.code == 0, ran.said
    assert "evil" not in ran.out
    assert "local" not in ran.out


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "cannot be read"),
        (b'{"apply": 1, "host": "h", "manifest": {"project": "q"}}', "is another project's"),
        (b'{"format": 9, "apply": 1, "host": "h", "manifest": {}}', "newer than this tool knows"),
        (b'{"apply": 1, "host": "h", "manifest": {"a": "' + b"x" * (1 << 20), "longer than 1 MiB"),
        (b"[" * 5000, "cannot be read"),
    ],
    ids=["damaged", "another project", "newer", "endless", "deep"],
)
def test_what_cannot_be_one_is_a_sentence(applied: FakeSite, content: bytes, reason: str) -> None:
    applied.hosts["h"].files[KEPT] = content
    ran = _from_host(applied, "h")
    assert (ran.code, ran.out) == (1, "")
    assert reason in ran.said


def test_no_word_of_a_host_becomes_a_line_of_its_own(applied: FakeSite) -> None:
    kept = json.loads(applied.hosts["h"].files[KEPT])
    kept["manifest"]["models"]["q"]["api_key"] = {"command": "x\nproject: evil\x1b[2J"}
    applied.hosts["h"].files[KEPT] = json.dumps(kept).encode()
    out = _from_host(applied, "h").out
    assert "\nproject: evil" not in out
    assert "\x1b" not in out
    assert yaml.safe_load(out)["project"] == "p"


def test_an_older_apply_kept_none_and_its_record_will_do(applied: FakeSite) -> None:
    for host in applied.hosts.values():
        del host.files[KEPT]
    ran = _from_host(applied, "h")
    assert (
        "# An older version applied it: this is what the record says of this host alone" in ran.out
    )
    applied.change_to(yaml.safe_load(ran.out))
    assert applied.run("status").code == 0
    assert applied.run("restart", "-y", "q").code == 0
    alone = _from_host(applied, "g")
    assert (alone.code, "no manifest of project p was kept" in alone.said) == (1, True)


def test_a_manifest_without_models_is_one_too(applied: FakeSite) -> None:
    applied.change(lambda m: m.update(hosts={"h": []}, gateway=None, models={}))
    applied.apply()
    _at_night(applied)
    assert applied.run("validate").code == 0


def test_one_of_several_projects_is_chosen(applied: FakeSite) -> None:
    record = applied.hosts["h"].files[LAYOUT.record].replace(b'"project": "p"', b'"project": "o"')
    applied.hosts["h"].put(LAYOUT.record.replace("/p/", "/o/"), record, 0o600)
    applied.hosts["h"].folders.add("/var/lib/xgen-deploy/o")
    ran = _from_host(applied, "h")
    assert (ran.code, "there are o, p; choose one with --project" in ran.said) == (1, True)
    assert _from_host(applied, "h", "--project", "p").code == 0
    assert "there is no project z here" in _from_host(applied, "h", "--project", "z").said


def test_destroy_leaves_none(applied: FakeSite) -> None:
    assert applied.run("destroy", "-y").code == 0
    assert KEPT not in applied.hosts["h"].files
