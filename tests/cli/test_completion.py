"""TAB completes files, instances, models and hosts in a real bash, zsh and fish."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.shell import shell

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
project: p
inventory: fleet.yaml
images: {llama: engine:1}
models: {gemma: {source: /m/gemma.gguf, aliases: [opus]}, qwen: {source: /m/qwen.gguf}}
gateway: {host: edge-1}
hosts:
  gpu-1: [{model: gemma, gpus: []}, {model: qwen, gpus: [], name: qwen-b}]
"""
INVENTORY = "all: {hosts: {gpu-1: }, children: {edges: {hosts: {edge-1: }}}}\n"
# What is typed before TAB, and what the shell then has on its line.
TYPED = {
    "a command": ("xgen-deploy roll", "xgen-deploy rollback"),
    "a manifest": ("xgen-deploy validate fir", "xgen-deploy validate first.yaml"),
    "a saved plan": ("xgen-deploy show sav", "xgen-deploy show saved.plan"),
    "an option's file": ("xgen-deploy plan -i fle", "xgen-deploy plan -i fleet.yaml"),
    "an option": ("xgen-deploy plan --det", "xgen-deploy plan --detailed-exitcode"),
    "an instance": ("xgen-deploy logs first.yaml qw", "xgen-deploy logs first.yaml qwen-b"),
    "the gateway": ("xgen-deploy restart first.yaml gat", "restart first.yaml gateway"),
    "a model": ("xgen-deploy plan first.yaml --limit gem", "--limit gemma"),
    "a group": ("xgen-deploy plan first.yaml --limit edges", "--limit edges"),
    "an instance of the usual manifest": ("xgen-deploy logs qw", "xgen-deploy logs qwen-b"),
    "a second one": ("xgen-deploy restart gemma qw", "restart gemma qwen-b"),
    "a manifest before names": ("xgen-deploy logs fir", "xgen-deploy logs first.yaml"),
    "a folder": ("xgen-deploy -C bi", "xgen-deploy -C bin"),
    "a model in another folder": ("xgen-deploy -C sub plan --limit spe", "--limit special"),
    "a model to ask": ("xgen-deploy ask first.yaml gem", "ask first.yaml gemma"),
    "an alias to ask": ("xgen-deploy ask first.yaml op", "ask first.yaml opus"),
    "a host": ("xgen-deploy render first.yaml --host gp", "--host gpu-1"),
}
STARTED = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
SET_UP = {
    "bash": 'eval "$(xgen-deploy completion bash)"',
    "zsh": 'autoload -U compinit; compinit -u -D; eval "$(xgen-deploy completion zsh)"',
}
# The same by the files of the wheel, as the shells look them up at the first TAB.
INSTALLED = {
    "bash": f"_late() {{ . {ROOT}/completions/xgen-deploy.bash; return 124; }}; "
    "complete -F _late xgen-deploy",
    "zsh": f"fpath=({ROOT}/completions $fpath); autoload -U compinit; compinit -u -D",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("completion")
    (folder / "first.yaml").write_text(MANIFEST)
    (folder / "xgen.yaml").write_text(MANIFEST)
    (folder / "sub").mkdir()
    (folder / "sub/xgen.yaml").write_text(MANIFEST.replace("gemma", "special"))
    (folder / "sub/fleet.yaml").write_text(INVENTORY)
    (folder / "fleet.yaml").write_text(INVENTORY)
    (folder / "saved.plan").write_text("{}")
    (folder / "bin").mkdir()
    program = folder / "bin/xgen-deploy"
    code = "from xgen_deploy.cli.main import run; run()"
    program.write_text(f"#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c '{code}' \"$@\"\n")
    program.chmod(0o755)
    return folder


def _environment(folder: Path) -> dict[str, str]:
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)}
    return {
        "PATH": path,
        "TERM": "xterm",
        "PS1": "$ ",
        "COLUMNS": "200",
        "LC_ALL": "C.UTF-8",
    } | home


def _needs(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("set_up", [SET_UP, INSTALLED], ids=["evaluated", "installed"])
@pytest.mark.parametrize("name", STARTED)
def test_tab_completes(name: str, set_up: dict[str, str], folder: Path) -> None:
    _needs(name)
    with shell(STARTED[name], folder, _environment(folder)) as terminal:
        terminal.type(set_up[name] + "; echo se''t\r")
        terminal.await_text("set")
        for typed, shown in TYPED.values():
            begun = len(terminal.screen)
            terminal.type(f"{typed}\t")
            terminal.await_text(shown, after=begun)
            terminal.type("\x15")  # Ctrl-U: an empty line


@pytest.mark.parametrize("case", TYPED)
def test_fish_completes(case: str, folder: Path) -> None:
    _needs("fish")
    typed, shown = TYPED[case]
    script = f"xgen-deploy completion fish | source; complete -C '{typed}'"
    done = subprocess.run(
        ["fish", "--no-config", "-c", script],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    words = [line.split("\t")[0].rstrip("/") for line in done.stdout.splitlines()]
    assert shown.split()[-1] in words


def test_names_are_offered_without_what_connects_to_hosts(folder: Path) -> None:
    code = (
        "import sys\n"
        "from xgen_deploy.cli.main import run\n"
        "try: run()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted({'fabric', 'paramiko', 'jinja2', 'rich'} & set(sys.modules)))"
    )
    words = "xgen-deploy logs first.yaml "
    asked = {"_XGEN_DEPLOY_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3"}
    env = os.environ | {"PYTHONPATH": str(ROOT)} | asked
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "plain,gemma", "plain,qwen-b", "plain,gateway", "LOADED"
    ]  # fmt: skip


@pytest.mark.parametrize("manifest", ["absent.yaml", "fleet.yaml"])
def test_a_manifest_that_cannot_be_read_offers_nothing_and_says_nothing(
    manifest: str, folder: Path
) -> None:
    env = _environment(folder) | {
        "_XGEN_DEPLOY_COMPLETE": "bash_complete",
        "COMP_WORDS": f"xgen-deploy logs {manifest} ",
        "COMP_CWORD": "3",
    }
    done = subprocess.run(
        ["xgen-deploy"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_hosts_of_commands_without_a_manifest(folder: Path) -> None:
    (folder / ".ssh").mkdir()
    (folder / ".ssh/config").write_text("Host lab-7 *.example\n  User me\nHost=lab-8\n")
    asked = {"_XGEN_DEPLOY_COMPLETE": "bash_complete"}
    for words, offered in {
        "xgen-deploy projects ": "plain,lab-7\nplain,lab-8",
        "xgen-deploy projects -i fleet.yaml edg": "plain,edges\nplain,edge-1",
    }.items():
        count = str(len(words.split(" ")) - 1)
        env = _environment(folder) | asked | {"COMP_WORDS": words, "COMP_CWORD": count}
        done = subprocess.run(
            ["xgen-deploy"], cwd=folder, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == offered
