"""What the documentation shows exists: commands and their options, link targets, manifests."""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
import yaml

from tests.site_file import load_site
from xgen_deploy.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "README.ko.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"(?<!`)`(xgen-deploy [^`\n]+)`(?!`)")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|[\s;/(])xgen-deploy (.+)$")
_AFTER = re.compile(r"\s(?:[|&;><#)]|\d?>|\|\|).*$")


def _commands(page: Path) -> list[str]:
    """Every `xgen-deploy …` of a page's fenced blocks and code spans, up to a pipe or comment."""
    text = page.read_text(encoding="utf-8")
    shown = [m[1] for m in _SPAN.finditer(_FENCE.sub("", text))]
    for language, block in _FENCE.findall(text):
        if language in ("console", "sh", "bash", "yaml"):
            shown += [line for line in block.splitlines() if _is_command(line, language)]
    found = (_COMMAND.search(line) for line in shown)
    return [_AFTER.sub("", m[1]).rstrip(" )") for m in found if m]


def _is_command(line: str, language: str) -> bool:
    if language == "console":
        return line.startswith("$ ")
    return not line.lstrip().startswith("#")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _blocks(language: str) -> list[tuple[str, str]]:
    texts = [(page.name, page.read_text(encoding="utf-8")) for page in PAGES]
    return [
        (name, b) for name, text in texts for kind, b in _FENCE.findall(text) if kind == language
    ]


def _is_manifest(block: str) -> bool:
    return all(re.search(f"^{key}:", block, re.MULTILINE) for key in ("project", "models", "hosts"))


SHOWN = [
    pytest.param(command, id=f"{page.name}: {command}")
    for page in PAGES
    for command in dict.fromkeys(_commands(page))
]
YAML = [pytest.param(block, id=f"{name}-{at}") for at, (name, block) in enumerate(_blocks("yaml"))]
MANIFESTS = [one for one in YAML if _is_manifest(str(one.values[0]))]


@pytest.mark.parametrize("shown", SHOWN)
def test_a_shown_command_exists_with_its_options(shown: str) -> None:
    words = shlex.split(shown)
    if "--" in words:  # an engine's own follow
        words = words[: words.index("--")]
    context = click.Context(main)
    if words[0].startswith("-"):
        command: click.Command = main
    else:
        found = main.get_command(context, words.pop(0))
        assert found is not None, f"there is no such command: {shown}"
        command = found
    while isinstance(command, click.Group) and command is not main and words:
        inner = command.get_command(context, words.pop(0))
        assert inner is not None, f"there is no such command: {shown}"
        command = inner
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    known |= set(main.get_help_option_names(context)) | {"-h"}
    stated = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert stated <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = page.parent / path if path else page
        headings = _HEADING.findall(target.read_text()) if anchor and target.is_file() else []
        if not target.exists() or (anchor and anchor not in map(_anchor, headings)):
            dead.append(link)
    assert not dead


@pytest.mark.parametrize("text", MANIFESTS)
def test_a_whole_manifest_in_the_docs_is_valid(text: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "inventories", tmp_path / "inventories")
    (tmp_path / "manifests").mkdir()
    manifest = tmp_path / "manifests" / "shown.yaml"
    manifest.write_text(text, encoding="utf-8")
    stated = yaml.safe_load(text)
    named = stated.get("inventory")
    inventory = manifest.parent / (named if isinstance(named, str) else ".")
    if not inventory.exists():
        inventory.write_text(yaml.safe_dump({"all": {"hosts": dict.fromkeys(stated["hosts"])}}))
    assert load_site(str(manifest)).declared


@pytest.mark.parametrize("text", YAML)
def test_shown_yaml_can_be_read(text: str) -> None:
    assert yaml.safe_load(text)


def test_the_documentation_was_found() -> None:
    assert len(SHOWN) > 30
    assert len(MANIFESTS) >= 2


def test_files_that_the_architecture_names_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {n for n in re.findall(r"[\w./]+/[\w*]+\.(?:py|md|toml)", text) if "*" not in n}
    roots = (ROOT, ROOT / "xgen_deploy")
    assert len(named) > 30
    assert [n for n in sorted(named) if not any((r / n).exists() for r in roots)] == []


def test_the_first_example_is_a_file() -> None:
    name, shown = next((n, b) for n, b in _blocks("yaml") if n == "README.md")
    assert shown == (ROOT / "manifests" / "demo.yaml").read_text(encoding="utf-8"), name
