"""The project as a package: what is in the wheel, how fast it starts, what it promises."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from demo import payload
from xgen_deploy import __version__
from xgen_deploy.cli.main import main
from xgen_deploy.run.template_files import read_templates

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "manifests").glob("*.yaml"))


def _python(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def _tool(*words: str) -> subprocess.CompletedProcess[str]:
    return _python("-c", "from xgen_deploy.cli.main import run; run()", *words)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = ("pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder))
    built = _python("-m", *words, str(ROOT))
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_holds_the_templates_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    data = f"xgen_deploy-{__version__}.data"
    shared = {name.removeprefix(f"{data}/data/share/") for name in names if name.startswith(data)}
    packed = {name.rpartition("/")[2] for name in names if name.startswith("xgen_deploy/templates")}
    assert tops == {"xgen_deploy", f"xgen_deploy-{__version__}.dist-info", data}
    assert shared == {
        "man/man1/xgen-deploy.1",
        "bash-completion/completions/xgen-deploy",
        "zsh/site-functions/_xgen-deploy",
        "fish/vendor_completions.d/xgen-deploy.fish",
    }
    assert packed == {name for name in read_templates() if name.endswith(".j2")}


def test_an_installed_wheel_finds_its_templates(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from xgen_deploy.run import template_files as t\n"
        f"assert t.__file__.startswith({str(tmp_path)!r}), t.__file__\n"
        "print(*sorted(t.read_templates()))"
    )
    assert _python("-c", code).stdout.split() == sorted(read_templates())


def test_the_first_help_page_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from xgen_deploy.cli.main import run\n"
        "try: run(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(set(sys.modules)"
        " & {'pydantic', 'jinja2', 'fabric', 'paramiko', 'yaml', 'rich'}))"
    )
    done = _python("-c", code)
    assert done.stdout.splitlines()[-1].split() == ["LOADED"]


@pytest.mark.parametrize("name", main.list_commands(None))  # type: ignore[arg-type]
def test_every_command_has_a_help_page(name: str) -> None:
    done = _tool(name, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: xgen-deploy {name}")


def test_the_version_is_the_package_s() -> None:
    assert _tool("--version").stdout.strip().endswith(__version__)


@pytest.mark.parametrize("manifest", EXAMPLES, ids=lambda p: p.name)
def test_every_example_is_valid(manifest: Path) -> None:
    done = _tool("validate", str(manifest))
    assert done.returncode == 0, done.stderr


def test_every_folder_of_tests_is_known_as_fast_or_as_slow() -> None:
    servers = "browser exporter gateway hostile lab process transport watchdog"
    with_servers = set(servers.split())
    script = (ROOT / "scripts/fast-tests").read_text()
    fast = set(script.partition("folders=(")[2].partition(")")[0].split())
    assert fast | with_servers == {path.parent.name for path in ROOT.glob("tests/*/test_*.py")}


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[(Unreleased|{re.escape(__version__)})\]", text, re.MULTILINE)


def test_every_target_of_the_makefile_says_what_it_does() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line.split()[1] for line in shown.stdout.splitlines()] == phony[1].split()


def test_the_demo_fills_the_paths_that_its_manifest_states() -> None:
    text = (ROOT / "manifests" / "quickstart.yaml").read_text(encoding="utf-8")
    stated = set(re.findall(r"~/\S+", text))
    folder = f"~/{payload.place().relative_to(Path.home())}"
    assert stated == {folder, f"{folder}/llama/llama-server", f"{folder}/gemma-3-270m-q4_k_m.gguf"}


def test_what_the_licence_field_names_is_the_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")[:200]
