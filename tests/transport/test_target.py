import pytest

from tests.transport.cases import load
from xgen_deploy.errors import UsageError
from xgen_deploy.transport.ssh_config import lookup, parse
from xgen_deploy.transport.target import ControlUser, Destination, Target, parse_hop, resolve

ADA = ControlUser("ada", "/home/ada", "/run/agent")


def resolved(config: str, destination: Destination, files: dict[str, str] | None = None) -> Target:
    def include(name):
        return [(name, (files or {})[name])]

    return resolve(
        destination,
        lookup(parse(config, "config", include), destination.alias, "ada", destination.settings),
        ADA,
        10.0,
    )


@pytest.mark.parametrize("case", load("targets"), ids=lambda case: case["why"])
def test_ssh_config_and_inventory(case):
    stated = {k: tuple(v) if isinstance(v, list) else v for k, v in case["destination"].items()}
    target = resolved(case.get("config", ""), Destination(**stated), case.get("files"))
    for field, value in case["target"].items():
        assert getattr(target, field) == (tuple(value) if isinstance(value, list) else value), field


@pytest.mark.parametrize(
    "line", ["Match exec true", "Match host gpu exec true", "Match localnetwork 10.0.0.0/8"]
)
def test_a_match_that_cannot_be_evaluated_is_refused_where_it_decides(line):
    with pytest.raises(UsageError, match=r"config:1: `Match (exec|localnetwork)`.*--ssh-config"):
        resolved(f"{line}\n  User bob\n", Destination("gpu"))


def test_a_match_that_cannot_be_evaluated_is_no_matter_elsewhere():
    assert resolved("Match host other exec true\n  User bob\n", Destination("gpu")).user == "ada"


def test_a_file_that_includes_itself_is_refused():
    with pytest.raises(UsageError, match="include itself"):
        resolved("Include again\n", Destination("gpu"), {"again": "Include again\n"})


@pytest.mark.parametrize(
    ("hop", "wish"),
    [
        ("door", Destination("door")),
        ("ada@door:2200", Destination("door", "ada", 2200)),
        ("ssh://ada@door:2200/", Destination("door", "ada", 2200)),
        ("[fe80::1]:2200", Destination("fe80::1", None, 2200)),
        ("ada@fe80::1", Destination("fe80::1", "ada")),
    ],
)
def test_hop(hop, wish):
    assert parse_hop(hop) == wish


@pytest.mark.parametrize("hop", ["", "ada@", "door:ssh"])
def test_no_hop(hop):
    with pytest.raises(UsageError, match="write"):
        parse_hop(hop)
