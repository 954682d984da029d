"""0.1.0 itself, given what this version writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.probe.gguf_writer import gguf, write
from tests.upgrade.released import unpack
from tests.upgrade.site import OldSite
from xgen_deploy.apply.probe_cache import learned
from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.saved import read_saved
from xgen_deploy.probe.remote.locate import Source
from xgen_deploy.probe.remote.models import model
from xgen_deploy.resolve.model_request import model_request
from xgen_deploy.resolve.stated_files import StatedFile
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.record import FORMAT, Record, read_record

_READ = """
import sys
from xgen_deploy import __version__
from xgen_deploy.record import read_record
assert __version__ == "0.1.0", __version__
read_record(sys.stdin.read(), sys.argv[1], "gpu-a")
"""

_LOOK = """
import json, sys
from xgen_deploy.probe.facts import ModelFacts
from xgen_deploy.probe.remote.models import models
folder = sys.argv[1]
wanted = {"key": "m", "source": folder + "/m.gguf", "revision": "main"}
wanted |= {"model_dir": folder, "hf_home": folder}
for found in models([wanted], folder)["models"]:
    assert ModelFacts.model_validate(found).gguf.architecture == "gemma3", found
"""


def read_by_it(folder: Path, record: Record) -> str:
    """What 0.1.0 says of a record, "" where it takes it."""
    done = subprocess.run(
        [sys.executable, "-c", _READ, record.project],
        input=record.model_dump_json(exclude_none=True),
        capture_output=True,
        text=True,
        env=unpack(folder),
        check=False,
    )
    return done.stderr.strip().splitlines()[-1] if done.returncode else ""


def test_it_refuses_a_record_of_this_version_in_a_sentence(tmp_path: Path) -> None:
    old = OldSite("docker")
    record = read_record(json.dumps(old.record), "up_doc", "gpu-a")
    written = replace(record, format=FORMAT)
    assert read_by_it(tmp_path, written).endswith(
        "gpu-a: the record of project up_doc has format 2, newer than this tool knows (1); "
        "use the newer xgen-deploy that wrote it"
    )


def test_it_reads_a_model_where_this_version_has_kept_what_it_read_of_one(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", gguf())
    asked = model_request(StatedFile("m", str(path), "main"), str(tmp_path), str(tmp_path))
    facts = OldSite("systemd").facts.model_copy(
        update={"models": (ModelFacts.model_validate(model(Source(**asked.model_dump()))),)}
    )
    layout = system_layout("up_site")
    kept = learned(facts, layout)[layout.models]
    write(tmp_path / "models.json", json.dumps(kept).encode())
    done = subprocess.run(
        [sys.executable, "-c", _LOOK, str(tmp_path)],
        capture_output=True,
        text=True,
        env=unpack(tmp_path / "code"),
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_reading_its_record_does_not_make_it_a_newer_one() -> None:
    old = OldSite("docker")
    assert read_record(json.dumps(old.record), "up_doc", "gpu-a").format == 1


def test_a_plan_that_it_saved_still_holds(tmp_path: Path) -> None:
    """Made with another context for `b` than what runs; carried out by this version."""
    old = OldSite("systemd")
    saved = read_saved((old.folder / "saved.json").read_text(), "saved.json")
    changed = tmp_path / "site.yaml"
    changed.write_text(old.manifest.read_text().replace("n_ctx: 320", "n_ctx: 256"))
    plan = old.plan(manifest=changed)
    held = replace(plan, manifest_digest=saved.site.manifest_digest)
    assert saved.changed(held) == ()


def test_a_plan_file_that_is_none_is_refused_with_a_hint() -> None:
    text = json.loads((OldSite("systemd").folder / "saved.json").read_text())
    del text["site"]
    with pytest.raises(UsageError, match="plan MANIFEST -o FILE"):
        read_saved(json.dumps(text), "saved.json")
