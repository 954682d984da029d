from base64 import b64decode

import pytest

from tests.transport.cases import load
from xgen_deploy.transport.known_hosts import (
    Key,
    Verdict,
    judge,
    known_kinds,
    known_name,
    parse,
    to_line,
)


@pytest.mark.parametrize("case", load("known_hosts"), ids=lambda c: f"{c['lines']}-{c['name']}")
def test_verdict(case):
    kind, blob = case["shown"]
    entries = parse("\n".join(case["lines"]), "known_hosts")
    verdict, said = judge(entries, case["name"], Key(kind, b64decode(blob)))
    assert verdict is Verdict(case["verdict"])
    assert bool(said) == (verdict is not Verdict.UNKNOWN)


def test_the_reader_is_told_which_line_says_so():
    entries = parse("# ours\ngpu ssh-ed25519 AAAA\n", "/home/ada/.ssh/known_hosts")
    _, said = judge(entries, "gpu", Key("ssh-ed25519", b"other"))
    assert [entry.where for entry in said] == ["/home/ada/.ssh/known_hosts:2"]


def test_key_types_are_asked_for_as_the_host_is_known():
    entries = parse("gpu ssh-rsa AAAA\nother ssh-ed25519 BBBB\n", "f")
    assert known_kinds(entries, "gpu") == ("ssh-rsa",)
    assert known_kinds(entries, "[gpu]:2222") == ("ssh-rsa",)
    assert known_kinds(entries, "new") == ()


def test_a_recorded_line_is_known_again():
    key = Key("ssh-ed25519", b"key")
    line = to_line(known_name("GPU.lab", 2222), key)
    assert judge(parse(line, "f"), "[gpu.lab]:2222", key)[0] is Verdict.KNOWN
