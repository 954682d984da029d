"""0.1.0 itself, given what this version writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.upgrade.released import unpack
from tests.upgrade.site import OldSite
from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import replace
from xgen_deploy.plan.saved import read_saved
from xgen_deploy.state.record import FORMAT, Record, read_record

_READ = """
import sys
from xgen_deploy import __version__
from xgen_deploy.record import read_record
assert __version__ == "0.1.0", __version__
read_record(sys.stdin.read(), sys.argv[1], "gpu-a")
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
