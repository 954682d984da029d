"""A model that its host makes of another: fetched, made, served, listed and pruned. The quantizer
is a stand-in, which leaves the numbers as they are; tests/lab has the real one."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.fake_hub import FakeHub, Repository, serving
from tests.lab.site import Ran, Site

NAME = "some/tiny-GGUF"
KEY = b"general.file_type" + struct.pack("<I", 4)
QUANTIZER = f"""#!{sys.executable}
import sys
if "--help" in sys.argv:
    sys.exit("usage: [--allow-requantize]")
print("main: build = VERSION (abc)", file=sys.stderr)
source, made, kind, threads = sys.argv[-4:] if len(sys.argv) > 4 else ("/none", "", "", "")
data = open(source, "rb").read()
at = data.index({KEY!r}) + {len(KEY)}
assert kind == "Q8_0"
open(made, "wb").write(data[:at] + bytes([7, 0, 0, 0]) + data[at + 4:])
"""


@pytest.fixture
def hub(model: Path) -> Iterator[FakeHub]:
    with serving(FakeHub({NAME: Repository({"tiny-F32.gguf": model.read_bytes()})})) as started:
        yield started


@pytest.fixture
def engines(binary: str, tmp_path: Path) -> Path:
    """The engine, and a quantizer beside it."""
    folder = tmp_path / "engines"
    folder.mkdir()
    for path in Path(binary).resolve().parent.iterdir():
        (folder / path.name).symlink_to(path)
    quantizer(folder, "4000")
    return folder


def quantizer(folder: Path, version: str) -> None:
    path = folder / "llama-quantize"
    path.write_text(QUANTIZER.replace("VERSION", version))
    path.chmod(0o755)


@pytest.fixture
def making(site: Site, hub: FakeHub, engines: Path, tmp_path: Path) -> Site:
    site.hosts["here"]["xgen_model_dir"] = str(tmp_path / "models")
    site.hosts["here"]["xgen_hf_home"] = str(tmp_path / "hf")
    site.env["HF_HOME"] = str(tmp_path / "operator")
    site.env["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    site.top["fetch"] = {"endpoint": hub.url}
    site.top["binaries"] = {"llama": str(engines / "llama-server")}
    site.models["tiny"] |= {"source": f"{NAME}:tiny-F32.gguf", "quantize": "Q8_0"}
    return site


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran
    return ran


def files(site: Site) -> dict[str, list[str]]:
    """Who needs what lies there, by its name without the recipe."""
    host = json.loads(done(site.run("models", "--json")).stdout)["hosts"]["here"]
    names = {m["place"]: m["place"].rpartition("/")[2] for m in host["models"]}
    return {
        "made" if "-Q8_0-" in names[m["place"]] else "source": m["used_by"] for m in host["models"]
    }


def test_it_is_fetched_made_and_served(making: Site, engines: Path, tmp_path: Path) -> None:
    planned = json.loads(making.run("plan", "--json").stdout)
    (quantizing,) = planned["quantizings"]
    assert (quantizing["file_type"], quantizing["version"]) == ("Q8_0", "b4000")
    assert [fetch["name"] for fetch in planned["fetches"]] == [f"{NAME}:tiny-F32.gguf"]
    applied = making.apply()
    assert "tiny as Q8_0 is made" in applied.stdout
    assert Path(quantizing["place"]).exists()
    now = json.loads(making.run("plan", "--json").stdout)
    assert (now["quantizings"], now["summary"]["unchanged"]) == ([], 1)
    assert files(making) == {"source": [], "made": ["tiny", "the manifest", "apply #1"]}

    quantizer(engines, "4001")  # nothing is made anew, even without the source
    done(making.run_on(making.write(), "models prune", "-y"))
    assert files(making) == {"made": ["tiny", "the manifest", "apply #1"]}
    assert "nothing to do" in done(making.run("plan")).stdout

    quantizer(engines, "4000")
    Path(quantizing["place"]).unlink()  # the next start would miss it
    assert "tiny as Q8_0 is made" in done(making.run("fetch")).stdout
    assert files(making)["made"] == ["tiny", "the manifest", "apply #1"]
    assert not list(tmp_path.glob("models/xgen/quantized/*/.*"))


def test_it_is_fetched_and_made_when_nobody_is_connected(making: Site) -> None:
    begun = done(making.run("fetch", "--detach"))
    assert f"goes on by itself: {NAME}:tiny-F32.gguf, tiny as Q8_0" in begun.stdout
    waited = done(making.run("fetch", "--wait"))
    assert "nothing to fetch: the models are on their hosts" in waited.stdout
    (planned,) = json.loads(making.run("plan", "--json").stdout)["hosts"].values()
    assert [o["action"] for o in planned["operations"]] == ["create"]
    assert files(making) == {"source": [], "made": ["the manifest"]}


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("raise SystemExit('tensor blk.0 is odd')", "llama-quantize fails: tensor blk.0 is odd"),
        ("kind = ''", "llama-quantize fails: AssertionError"),
    ],
)
def test_a_quantizer_that_fails(making: Site, engines: Path, does: str, told: str) -> None:
    program = engines / "llama-quantize"
    program.write_text(program.read_text().replace("data = open", f"{does}\ndata = open"))
    applied = making.run("apply", "-y")
    assert applied.code == 1
    assert told in applied.stdout + applied.stderr
    program.write_text("#!/bin/sh\nexit 1\n")
    refused = making.run("plan")
    assert "does not run on this host" in refused.stdout + refused.stderr


def test_a_lock_file_holds_the_source(making: Site) -> None:
    done(making.run("lock"))
    making.apply()
    assert "nothing to do" in done(making.run("plan")).stdout
    done(making.run_on(making.write(), "models prune", "-y"))
    assert "nothing to do" in done(making.run("plan")).stdout
