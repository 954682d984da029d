"""Hosts that cannot be reached: one exit code in every command, and unknown is said as unknown."""

from pathlib import Path

import click
import pytest

from tests.apply.conftest import MakeSite, q
from tests.fake_host.site import FakeSite, Ran
from xgen_deploy.cli.main import main

WHY = "port 22 timed out after 10 s"
WITHOUT_HOSTS = {"validate", "config", "lock", "fit", "serve", "metrics-targets"}
WORDS: dict[str, tuple[str, ...]] = {
    "logs": ("q",),
    "ask": ("q", "Hello"),
    **dict.fromkeys(("cordon", "uncordon"), ("h", "-y")),
    **dict.fromkeys(("apply", "destroy", "restart", "rollback", "start", "stop"), ("-y",)),
}


# Said of a host that was seen, each would be a claim about one that was not.
CLAIMS = (
    *("never applied", "not applied", "no apply is recorded", "no earlier apply", "no event is"),
    *("nothing to do", "all good", "absent", "not locked", "passed", "no record of", "0 GPUs"),
)


def _takes_a_manifest(name: str) -> bool:
    command = main.get_command(click.Context(main), name)
    return command is not None and any(p.name == "manifest" for p in command.params)


COMMANDS = [
    *(
        (name, *WORDS.get(name, ()))
        for name in main.list_commands(click.Context(main))
        if _takes_a_manifest(name) and name not in WITHOUT_HOSTS
    ),
    ("plan", "--drift"),
    ("plan", "--detailed-exitcode"),
    ("history", "--since", "7d"),
    ("history", "--csv"),
    ("rollback", "-y", "--to", "1"),
    ("verify", "--deep"),
]


def run(site: FakeSite, *words: str) -> Ran:
    """`accept` has a word of its own before the manifest, and needs a file to write to."""
    if words[0] != "accept":
        return site.run(*words)
    site.change(lambda m: m["models"]["q"].update(accept={"file": "accept.json"}))
    return site.run_on(Path("record"), "accept", str(site.folder / "manifest.yaml"), *words[1:])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_all_hosts_unreachable_is_4_with_the_reason(
    make_site: MakeSite, words: tuple[str, ...]
) -> None:
    site = make_site()
    site.hosts["h"].unreachable = WHY
    ran = run(site, *words)
    assert ran.code == 4, ran.said
    assert WHY in ran.said
    assert [claim for claim in CLAIMS if claim in ran.said] == []
    if "--csv" not in words:
        assert run(site, *words, "--json").code == 4


def two_hosts(make_site: MakeSite) -> FakeSite:
    """Both run a model each, which is to be changed; `b` is not reached any more."""
    hosts = {"h": [q()], "b": [q(name="q-b")]}
    site = make_site({"h": "cpu", "b": "cpu"}, hosts=hosts)
    site.apply()
    site.hosts["b"].unreachable = WHY
    return site


GOES_ON = ("gpus", "render", "plan", "apply -y", "status", "history", "stop -y", "restart -y")


@pytest.mark.parametrize("command", [*GOES_ON, "unlock", "destroy -y"])
def test_one_of_two_unreachable_is_4(make_site: MakeSite, command: str) -> None:
    ran = two_hosts(make_site).run(*command.split())
    assert WHY in ran.said
    assert ran.code == 4, ran.said


def test_the_other_host_is_changed(make_site: MakeSite) -> None:
    site = two_hosts(make_site)
    site.change(lambda m: m["models"]["q"].update(n_ctx=4096))
    said = site.apply(code=4)
    assert "h/q" in said
    assert site.record("h")["instances"]["q"]["spec"]["n_ctx"] == 4096


ANOTHER_TROUBLE = ("gpus", "render", "plan", "apply -y", "status", "verify")


@pytest.mark.parametrize("command", ANOTHER_TROUBLE)
def test_an_answer_that_cannot_be_used_is_1_also_beside_an_unreachable_host(
    make_site: MakeSite, command: str
) -> None:
    site = two_hosts(make_site)
    site.hosts["h"].raw = b"{}"
    ran = site.run(*command.split())
    assert WHY in ran.said
    assert ran.code == 1, ran.said


def test_a_refusal_beside_an_unreachable_host_is_1(make_site: MakeSite) -> None:
    site = two_hosts(make_site)
    site.change(lambda m: m["models"]["q"].update(backend="vllm"))
    assert site.run("plan").code == 1


def test_what_an_unreached_host_may_know_is_said_as_unknown(make_site: MakeSite) -> None:
    site = make_site({"h": "cpu", "b": "cpu"}, hosts={"h": [q()], "b": [q(name="q-b")]})
    site.hosts["b"].unreachable = WHY
    for command in ("plan", "status"):
        assert "last apply unknown (not seen: b)" in site.run(command).said
    assert "no apply is recorded on h\n" in site.run("history").said
    said = site.apply(code=4)
    assert "\napply #1: 1 done, not reached: b\n" in said
    for command in ("plan", "status", "restart -y"):
        assert " ago (not seen: b)" in site.run(*command.split()).said
    assert "all passed; unknown: b" in site.run("verify").said


@pytest.mark.parametrize("to", [(), ("--to", "9")], ids=["", "to"])
def test_a_rollback_that_only_an_unreached_host_may_know_of_is_4(
    make_site: MakeSite, to: tuple[str, ...]
) -> None:
    ran = two_hosts(make_site).run("rollback", "-y", *to)
    assert ran.code == 4
    assert f"on the hosts that were reached; not seen:\nb: {WHY}" in ran.said


def test_a_gateway_s_host_that_is_unreached_is_unknown_with_the_reason(
    gateway_site: FakeSite,
) -> None:
    gateway_site.hosts["g"].unreachable = WHY
    ran = gateway_site.run("status")
    assert ran.code == 4
    assert f"GATEWAY  g  unknown: {WHY}" in ran.said
