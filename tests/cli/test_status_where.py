"""`status --where` and `--versions`: who runs what."""

from __future__ import annotations

import json

import pytest

from tests.apply.conftest import MODEL, MakeSite, make_site, q  # noqa: F401 - a fixture
from tests.cli.test_json import values
from tests.fake_host.host import LAYOUT
from tests.fake_host.site import FakeSite
from xgen_deploy.errors import UsageError
from xgen_deploy.verify.selection import condition
from xgen_deploy.verify.status import Status

BUILDS = {"a": "b11434-0a1b2c3", "b": "b11200-ffffff0", "c": None}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:  # noqa: F811
    """The model on three hosts, whose engines are of different builds."""
    made: FakeSite = make_site(dict.fromkeys(BUILDS, "cpu"), hosts={name: [q()] for name in BUILDS})
    made.apply()
    for name, build in BUILDS.items():
        record = made.record(name)
        record["instances"]["q"]["report"]["version"] = build
        made.hosts[name].files[LAYOUT.record] = json.dumps(record).encode()
    return made


def _shown(site: FakeSite, *where: str) -> list[str]:
    words = [word for text in where for word in ("--where", text)]
    (document,) = values(site.run("status", "--json", *words), "status")
    return [m["host"] for m in document["models"]]


@pytest.mark.parametrize(
    ("where", "hosts"),
    [
        (("build<11434",), ["b"]),
        (("build >= 11200",), ["a", "b"]),
        (("build=11434",), ["a"]),
        (("build=b112*",), ["b"]),
        (("build!=11434",), ["b"]),
        (("host=a,c",), ["a", "c"]),
        (("host=[ab]", "build>11300"), ["a"]),
        (("backend=llama",), ["a", "b", "c"]),
        (("backend=llama-server-cpu",), ["a", "b", "c"]),
        (("backend=vllm*",), []),
        (("model=q", "state=running"), ["a", "b", "c"]),
        (("state!=running",), []),
        (("instance=r",), []),
        (("unit>1",), ["a", "b", "c"]),
    ],
    ids=" ".join,
)
def test_only_these_are_shown(site: FakeSite, where: tuple[str, ...], hosts: list[str]) -> None:
    assert _shown(site, *where) == hosts


def test_a_digest_is_told_by_its_beginning(site: FakeSite) -> None:
    digest = site.record("a")["instances"]["q"]["digest"]
    assert _shown(site, f"digest={digest[:6]}") == ["a", "b", "c"]
    assert _shown(site, "digest=0000000") == []


def test_whose_build_is_unknown_is_said(site: FakeSite) -> None:
    ran = site.run("status", "--where", "build<11434")
    assert ran.code == 0, ran.said
    assert "left out, because it cannot be told of them: c/q" in ran.out


def test_the_exit_code_is_of_those_that_are_shown(site: FakeSite) -> None:
    assert site.run("stop", "-y", "--limit", "a").code == 0
    assert site.run("status").code == 1
    assert site.run("status", "--where", "host=b").code == 0
    assert site.run("status", "--where", "state=stopped").code == 1


def test_conditions_that_leave_out_everything_are_said(site: FakeSite) -> None:
    assert "`--where` leaves out all 3 instances" in site.run("status", "--where", "host=z").said


def test_the_versions_view(site: FakeSite) -> None:
    ran = site.run("status", "--versions")
    assert ran.code == 0, ran.said
    lines = ran.out.splitlines()
    digest = site.record("a")["instances"]["q"]["digest"]
    assert lines[2].split()[:6] == ["a", "q", "running", "llama-cpu", "b11434-0a1b2c3", "q"]
    assert digest[:12] in lines[2]
    assert lines[2].endswith("#1")
    assert lines[-1].startswith("3 builds: llama-cpu ")
    assert "llama-cpu of an unknown build (1)" in lines[-1]


@pytest.mark.parametrize(
    "text", ["", "build", "colour=red", "state<running", "build<new", "build<", "=x", "host>1"]
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        condition(text)


def test_versions_of_two_kinds_are_not_compared() -> None:
    """vLLM's 0.11.2 is not older than llama.cpp's 11434."""
    vllm = Status(model_id="m", host="h", instance="i", status="running", build="0.11.2")
    assert condition("build<11434").holds(vllm) is None
    assert condition("build<0.12").holds(vllm) is True
    assert condition("build<0.11.2").holds(vllm) is False
