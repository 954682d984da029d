"""A site that has no tool yet begins with ssh-keygen, sha256sum and pip, as the guide says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundle.made import Outside, allowed, new_key

GUIDE = Path(__file__).parents[2] / "docs/bundles.md"


@pytest.fixture
def made(outside: Outside, wheels: Path, tmp_path: Path) -> Path:
    """The folder."""
    outside.write(
        {
            "project": "p",
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": "/srv/m.gguf", "backend": "llama-server-cpu"}},
            "binaries": {"llama": "/opt/llama/llama-server"},
            "runtime": "systemd",
            "hosts": {"a": [{"model": "m"}]},
        }
    )
    key = new_key(tmp_path, "ada")
    allowed(tmp_path, key)
    code, said = outside.create("--wheels", str(wheels), "--sign", str(key))
    assert code == 0, said
    assert "site.xgen.bootstrap  for a site that has no xgen-deploy yet" in said
    return tmp_path / "site.xgen.bootstrap"


def _documented(word: str) -> list[str]:
    """The lines of the block in the guide that has this word."""
    blocks = re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    (block,) = [b for b in blocks if word in b]
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def _run(line: str, folder: Path, signers: Path) -> int:
    line = line.replace("~/allowed_signers", str(signers)).replace("~/xgen-deploy", "../venv")
    done = subprocess.run(["bash", "-ec", line], cwd=folder, capture_output=True, check=False)
    return done.returncode


def test_the_documented_way(made: Path, tmp_path: Path) -> None:
    for line in _documented("--require-hashes --find-links ."):
        if line.startswith(("ssh-keygen", "sha256sum")):
            assert _run(line, made, tmp_path / "allowed") == 0, line
        elif " install " in line:
            words = line.split()[1:]
            pip = [sys.executable, "-m", "pip", *words, "--quiet", "--target", str(tmp_path / "to")]
            subprocess.run(pip, cwd=made, check=True)
    assert (tmp_path / "to/needed/__init__.py").exists()


def test_the_index_by_hand(made: Path, tmp_path: Path) -> None:
    lines = "\n".join(_documented("index.sig"))
    assert _run(lines, tmp_path, tmp_path / "allowed") == 0
    data = bytearray((tmp_path / "site.xgen").read_bytes())
    data[70] ^= 1
    (tmp_path / "site.xgen").write_bytes(data)
    assert _run(lines, tmp_path, tmp_path / "allowed") != 0


def test_what_was_changed_is_noticed(made: Path, tmp_path: Path) -> None:
    verify, check = (
        line
        for line in _documented("--require-hashes --find-links .")
        if line.startswith(("ssh-keygen", "sha256sum"))
    )
    wheel = next(made.glob("needed*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"x")
    assert _run(verify, made, tmp_path / "allowed") == 0
    assert _run(check, made, tmp_path / "allowed") != 0
    with (made / "SHA256SUMS").open("a") as file:
        file.write("0" * 64 + "  more.whl\n")
    assert _run(verify, made, tmp_path / "allowed") != 0


def test_it_is_replaced_and_nothing_else_is_removed(
    made: Path, outside: Outside, wheels: Path
) -> None:
    code, said = outside.create("--wheels", str(wheels))
    assert code == 0, said
    assert not (made / "SHA256SUMS.sig").exists()
    (made / "notes.md").write_text("mine")
    code, said = outside.create("--wheels", str(wheels))
    assert (code, "has other files in it, such as notes.md" in said) == (1, True), said
    (made / "notes.md").unlink()
    assert outside.create()[0] == 0
    assert not made.exists()
