"""What root's collector tells of a project, from a real record, lock and files."""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.exporter.launcher import exporter, settings, values
from tests.plan.world import World
from tests.ports import free_port
from xgen_deploy.frozen import replace
from xgen_deploy.state.cordon import Cordon, CordonedGPU
from xgen_deploy.state.host import Host
from xgen_deploy.state.load_report import LoadReport
from xgen_deploy.state.record import ApplyRecord, Record
from xgen_deploy.state.settings import Objectives
from xgen_deploy.state.stopped import Stopped
from xgen_deploy.transfer.identity import new_identity
from xgen_deploy.watch.exporter_settings import Watched, exporter_settings
from xgen_deploy.watch.program import exporter_program

M = 'instance="m",model="m"'
CASE = {
    "host": "cpu",
    "models": {"m": {"source": "/m/Qwen3-8B-Q4_K_M.gguf"}},
    "place": [{"model": "m", "gpus": []}],
}


class Collected:
    """A host's folder with what the collector reads; `run` collects once."""

    def __init__(self, folder: Path, record: Record, world: World) -> None:
        self.folder = folder
        watched = Watched(
            host=Host(name="gpu-a", model_dir=str(folder), hf_home=str(folder)),
            token_sha256="a" * 64,
            certificates={"gateway": str(folder / "tls.pem"), "broken": "/dev/null"},
        )
        text = exporter_settings(record, world.scene.layout, watched)
        self.settings: dict[str, Any] = json.loads(text) | {
            "record": str(folder / "record.json"),
            "lock": str(folder / "lock"),
            "watchdog_state": str(folder / "heal.state"),
            "facts": str(folder / "run" / "facts.json"),
        }
        self.settings["engines"][0]["port"] = free_port()  # nobody answers there
        self.write("record.json", record.model_dump_json(exclude_none=True))
        self.write("tls.pem", new_identity().pem)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, **more: object) -> str:
        """The page that an exporter makes of it."""
        self.write("exporter.json", json.dumps(self.settings | more))
        self.write("exporter.py", exporter_program())
        words = [str(self.folder / "exporter.py"), "facts", str(self.folder / "exporter.json")]
        done = subprocess.run(
            [sys.executable, "-I", *words], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        facts = (self.folder / "run" / "facts.json").read_text()
        with exporter(settings(), facts=facts) as running:
            return running.page()

    def values(self) -> Mapping[str, float]:
        return values(self.run())


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(CASE, tmp_path)
    made.apply()
    return made


@pytest.fixture
def record(world: World, tmp_path: Path) -> Record:
    """Its model's file is there, and so are the files that were written."""
    last = world.record.instances["m"]
    (tmp_path / "model.gguf").write_text("x")
    (tmp_path / "unit").write_text("unit")
    digest = hashlib.sha256(b"unit").hexdigest()
    moved = replace(last.spec, model_path=str(tmp_path / "model.gguf"), n_gpu_layers=20)
    entry = replace(last, spec=moved, files={str(tmp_path / "unit"): digest})
    return world.record.with_instance("m", entry)


def test_what_runs_as_applied(record: Record, world: World, tmp_path: Path) -> None:
    report = LoadReport(offloaded=18, total_layers=37, slots=4)
    slo = Objectives(ttft_p95=1.0, tpot_p95=0.06)
    last = record.instances["m"]
    (declared,) = world.scene.site.on("h")
    entry = replace(last, report=report, declared=replace(declared, slo=slo))
    told = Collected(tmp_path, record.with_instance("m", entry), world).values()
    spec = last.spec
    info = f'backend="{spec.backend}",runtime="{spec.runtime}",n_ctx="{spec.n_ctx}",slots="4"'
    assert told[f'xgen_instance_info{{{M},{info},gpu_uuid="",gpu_index=""}}'] == 1
    assert {
        name.removesuffix(f"{{{M}}}"): value
        for name, value in told.items()
        if name.startswith("xgen_instance_") and "info" not in name
    } == {
        "xgen_instance_stopped_by_intent": 0,
        "xgen_instance_layers_stated": 20,
        "xgen_instance_layers_offloaded": 18,
        "xgen_instance_layers": 37,
        "xgen_instance_gate_passed": 1,
        "xgen_instance_drift": 0,
        "xgen_instance_model_file_present": 1,
        "xgen_instance_objective_ttft_p95_seconds": 1,
        "xgen_instance_objective_tpot_p95_seconds": 0.06,
    }
    assert told["xgen_change_in_progress"] == 0
    assert told['xgen_maintenance{gpu_uuid=""}'] == 0
    assert told[f'xgen_models_disk_free_bytes{{path="{tmp_path}"}}'] > 0
    assert told['xgen_collection_error{source="facts"}'] == 0


def test_what_is_not_as_applied(record: Record, world: World, tmp_path: Path) -> None:
    last = replace(record.instances["m"], stopped=Stopped(by="kim@ops", at=1.0))
    apply = ApplyRecord(
        number=3, by="kim", manifest="x", manifest_digest="y", began=1.0, failures={"m": "slow"}
    )
    changed = replace(record.with_instance("m", last), last_apply=apply)
    collected = Collected(tmp_path, changed, world)
    collected.write("unit", "edited by hand")
    (tmp_path / "model.gguf").unlink()
    told = collected.values()
    assert told[f"xgen_instance_stopped_by_intent{{{M}}}"] == 1
    assert told[f"xgen_instance_drift{{{M}}}"] == 1
    assert told[f"xgen_instance_model_file_present{{{M}}}"] == 0
    assert told[f"xgen_instance_gate_passed{{{M}}}"] == 0


def test_what_the_watchdog_did(record: Record, world: World, tmp_path: Path) -> None:
    collected = Collected(tmp_path, record, world)
    state = {"m": {"restarts": 2, "gave_up": "restarted 5 times"}, "other": {}}
    collected.write("heal.state", json.dumps({"format": 2, "boot": "x", "instances": state}))
    os.utime(tmp_path / "heal.state", (1700000000, 1700000000))
    told = collected.values()
    assert told["xgen_watchdog_last_run_timestamp_seconds"] == 1700000000
    assert told[f"xgen_instance_watchdog_restarts_total{{{M}}}"] == 2
    assert told[f"xgen_instance_watchdog_gave_up{{{M}}}"] == 1


def test_an_apply_mutes_alerts_for_so_long(record: Record, world: World, tmp_path: Path) -> None:
    collected = Collected(tmp_path, record, world)
    collected.write("lock", "{}")
    os.utime(tmp_path / "lock", (1700000000, 1700000000))
    with (tmp_path / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        told = collected.values()
    assert told["xgen_change_in_progress"] == 1
    assert told["xgen_change_deadline_timestamp_seconds"] == 1700000000 + 900
    after = collected.values()
    assert after["xgen_change_in_progress"] == 0
    assert "xgen_change_deadline_timestamp_seconds" not in after


def test_what_is_out_of_service(record: Record, world: World, tmp_path: Path) -> None:
    gpu = CordonedGPU(index=1, identity="GPU-1", names=("GPU-1",))
    over = CordonedGPU(index=2, identity="GPU-2", names=("GPU-2",))
    cordons = (Cordon(by="kim", at=1.0, gpu=gpu), Cordon(by="kim", at=1.0, until=2.0, gpu=over))
    told = Collected(tmp_path, replace(record, cordons=cordons), world).values()
    assert {n: v for n, v in told.items() if "maintenance" in n} == {
        'xgen_maintenance{gpu_uuid=""}': 0,
        'xgen_maintenance{gpu_uuid="GPU-1"}': 1,
    }
    whole = replace(record, cordons=(Cordon(by="kim", at=1.0),))
    assert Collected(tmp_path, whole, world).values()['xgen_maintenance{gpu_uuid=""}'] == 1


def test_when_certificates_end(record: Record, world: World, tmp_path: Path) -> None:
    told = Collected(tmp_path, record, world).values()
    pem = x509.load_pem_x509_certificate((tmp_path / "tls.pem").read_bytes())
    assert {n: v for n, v in told.items() if "xgen_certificate" in n} == {
        'xgen_certificate_expiry_timestamp_seconds{certificate="gateway"}': int(
            pem.not_valid_after_utc.timestamp()
        )
    }


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 2}'])
def test_a_state_that_makes_no_sense_costs_its_part_alone(
    text: str, record: Record, world: World, tmp_path: Path
) -> None:
    collected = Collected(tmp_path, record, world)
    collected.write("heal.state", text)
    told = collected.values()
    assert not any("watchdog" in name for name in told)
    assert told[f"xgen_instance_drift{{{M}}}"] == 0


def test_a_folder_for_text_files_that_is_not_there_costs_nothing_else(
    record: Record, world: World, tmp_path: Path
) -> None:
    page = Collected(tmp_path, record, world).run(textfile="/nonexistent/node")
    assert values(page)['xgen_collection_error{source="facts"}'] == 0


def test_a_text_file_has_the_whole_page(record: Record, world: World, tmp_path: Path) -> None:
    collected = Collected(tmp_path, record, world)
    (tmp_path / "node").mkdir()
    collected.run(textfile=str(tmp_path / "node"))
    (file,) = (tmp_path / "node").iterdir()
    assert file.name == "xgen-p.prom"
    assert file.stat().st_mode & 0o777 == 0o644
    told = file.read_text()
    assert f'xgen_instance_drift{{project="p",host="gpu-a",{M}}} 0' in told
    assert f'xgen_instance_up{{project="p",host="gpu-a",{M}}} 0' in told
    assert 'xgen_host_memory_total_bytes{project="p",host="gpu-a"}' in told
