from pathlib import Path

import pytest

from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import ManifestError

BASE = "project: a\nmodels: {}\nhosts: {}\n"
LEVELS = "".join(f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
EXAMPLES = sorted((Path(__file__).parents[2] / "manifests").glob("*.yaml"))

CASES = {
    "empty": (b"", ": this manifest is empty"),
    "comments": (b"# nothing\n", ": this manifest is empty"),
    "binary": (b"\x7fELF\0\1", ": this is a binary file"),
    "utf16": ("project: a".encode("utf-16"), ": this is a binary file"),
    "latin1": (b"project: a\nx-a: caf\xe9\n", ":2:9: byte 0xe9 is not UTF-8"),
    "escape": (b"project: a\x1b[2J", ":1:11: control character U+001B"),
    "tab": (b"project: a\nmodels:\n\tq: 1\n", ":3:1: a tab cannot indent YAML"),
    "open list": (b"project: [a\nmodels: 1\n", ":2:7: YAML syntax: while parsing a flow sequence"),
    "list": (b"- project\n", ":1:1: a manifest is a map of keys and values; found a list"),
    "two documents": (BASE.encode() + b"---\na: b\n", ":4:1: a second document begins here"),
    "list as key": (b"? [a, b]\n: c\n", ":1:3: a key must be text"),
    "no anchor": (b"project: *none\n", ":1:10: `*none` refers to an anchor that is not defined"),
    "circle": (b"x-a: &a [*a]\n", ":1:10: `*a` contains itself"),
    "bomb": (f"x-0: &a0 [1, 2]\n{LEVELS}".encode(), "once aliases are expanded"),
    "deep": (b"x-a: " + b"[" * 100, ":1:66: nested deeper than 60 levels"),
    "deeper than libyaml allows": (b"x-a: " + b"[" * 5000, ":1:66: nested deeper than 60 levels"),
    "deep maps": (b"x-a: " + b"{a: " * 5000, ":1:243: nested deeper than 60 levels"),
    "deep lists": (b"x-a:\n" + b"- " * 5000, ":2:121: nested deeper than 60 levels"),
    "open lists on one line": (b"x-a: [" + b"[]," * 100, ": YAML syntax: while parsing a flow"),
    "large": (BASE.encode() + b"#" * (1 << 20), ": a manifest is at most 1 MiB"),
    "merge of text": (b"models: {q: {<<: text}}\n", ":1:14: `<<` takes a map"),
}


def _refused(path: Path) -> str:
    with pytest.raises(ManifestError) as caught:
        load_site(str(path))
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_a_file_that_is_no_manifest(name: str, tmp_path: Path) -> None:
    content, message = CASES[name]
    path = tmp_path / "site.yaml"
    path.write_bytes(content)
    error = _refused(path)
    assert error.startswith(str(path))
    assert message in error


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert "this file is larger" in _refused(path)


def test_a_folder_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "this is a folder" in _refused(tmp_path)
    assert "there is no such file" in _refused(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "this inventory is empty"),
        ("[gpus]\nhost1 port\n", "inventory.yaml:2:1: `port` after the host host1 is no variable"),
        ("[gpus:vars]\nport\n", "inventory.yaml:2:1: `port` is no variable"),
        ("[gpus:hosts]\na\n", "inventory.yaml:1:1: `[gpus:hosts]`: a section is `:vars`"),
        ("#!/bin/sh\necho\n", "`ansible-inventory -i {} --list --yaml > inventory.yaml`"),
        ("plugin: amazon.aws.aws_ec2\n", "`ansible-inventory -i {} --list --yaml > inv"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", "-i {} --list --yaml --ask-vault-pass > inv"),
        ('{"_meta": {"hostvars": {}}}', "`ansible-inventory -i INVENTORY --list --yaml > inv"),
        ("all: [a]\n", "group `all` must be a map with `hosts`, `children` and `vars`"),
        (None, "site.yaml:2:12: the inventory "),
    ],
)
def test_an_inventory_that_is_none(content: str | None, message: str, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("project: a\ninventory: inventory.yaml\nmodels: {}\nhosts: {}\n")
    if content is not None:
        (tmp_path / "inventory.yaml").write_text(content)
    assert message.format(tmp_path / "inventory.yaml") in _refused(site)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_cut_anywhere_never_ends_in_a_traceback(example: Path, tmp_path: Path) -> None:
    content = example.read_bytes()
    path = tmp_path / example.name
    for end in range(0, len(content), 3):
        path.write_bytes(content[:end])
        try:
            load_site(str(path))
        except ManifestError as error:
            assert all(one.message and one.file for one in error.problems)  # noqa: PT017


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_with_any_value_replaced_never_ends_in_a_traceback(
    example: Path, tmp_path: Path
) -> None:
    lines = example.read_text().splitlines()
    path = tmp_path / example.name
    for at, line in enumerate(lines):
        key = line.partition(":")[0]
        for value in (
            "[]",
            "{}",
            "null",
            "-1",
            "[[1], {a: b}]",
            "{a: {b: [c]}}",
            '"\\x00"',
            "!t x",
        ):
            path.write_text("\n".join([*lines[:at], f"{key}: {value}", *lines[at + 1 :]]))
            try:
                load_site(str(path))
            except ManifestError as error:
                assert error.problems  # noqa: PT017
