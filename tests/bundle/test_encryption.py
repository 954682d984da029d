"""A bundle encrypted by age, and read again."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bundle.made import Outside, new_key
from xgen_deploy.bundle.read import Bundle, Damage, open_bundle

with_age = pytest.mark.skipif(
    shutil.which("age") is None, reason="optional: age; `apt-get install age`"
)
VOLUME = 1 << 20


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    (tmp_path / "x.deb").write_bytes(b"x" * (2 * VOLUME))
    outside.write(
        {
            "project": "p",
            "packages": ["*.deb"],
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": "/srv/m.gguf", "backend": "llama-server-cpu"}},
            "runtime": "systemd",
            "binaries": {"llama": "/opt/llama/llama-server"},
            "hosts": {"a": [{"model": "m"}]},
        }
    )
    return outside


def _decrypted(site: Outside, key: Path, names: list[str]) -> Bundle:
    for name in names:
        path = site.output.with_name(name)
        words = ["-d", "-i", str(key), "-o", str(path.with_suffix("")), str(path)]
        subprocess.run(["age", *words], check=True)
    return open_bundle(str(site.output), None)


@with_age
@pytest.mark.parametrize("form", ["file", "key itself"])
def test_it_is_encrypted_and_read_again(site: Outside, tmp_path: Path, form: str) -> None:
    key = new_key(tmp_path)
    public = key.with_name("key.pub")
    to = str(public) if form == "file" else public.read_text().strip()
    code, said = site.create("--encrypt-to", to, "--volume-size", "1M", "--json")
    assert code == 0, said
    names = [Path(p).name for p in json.loads(said)["encrypted"]]
    assert names == ["site.xgen.age", "site.xgen.2.age", "site.xgen.3.age"]
    assert sorted(p.name for p in tmp_path.glob("site.xgen*")) == sorted(names)
    code, said = site.run("bundle", "verify", str(site.output) + ".age")
    assert (code, "site.xgen.age is encrypted; `age -d -i KEY -o site.xgen" in said) == (1, True)
    bundle = _decrypted(site, key, names)
    assert not [d for d in bundle.damages() if isinstance(d, Damage)]


@with_age
def test_a_key_that_is_none_is_told_before_anything_is_written(site: Outside) -> None:
    code, said = site.create("--encrypt-to", "age1nonsense")
    assert (code, "age does not encrypt: " in said) == (1, True), said
    assert not list(site.output.parent.glob("site.xgen*"))


def test_without_age(site: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    code, said = site.create("--encrypt-to", "age1x")
    assert (code, "--encrypt-to needs `age` on this machine" in said) == (1, True), said
