"""Commands over hosts on which something is not as it should be: a reason, never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from tests.lab import tiny_model

OLD_ENGINE = "#!/bin/sh\necho '--model --host --port --device --n-gpu-layers --ctx-size'\n"
DAMAGED = ('{"format": 1,', "the record of project p is damaged")
HOSTILE = {
    "deep": "[" * 200_000,
    "infinity": '{"format": Infinity}',
    "long number": '{"format": ' + "9" * 4000 + "}",
    "many values": '{"format": 1, "x": [' + "0," * 2_100_000 + "0]}",
    "no object": "[1]",
    "a way out": '{"format": 1, "project": "p", "pending": {"../../../srv": "x"}}',
}
RECORDS = [
    *((c, *DAMAGED) for c in ("render", "plan --drift", "status", "verify", "apply -y")),
    ("plan", '{"format": 1, "project": 3}', "the record of project p cannot be understood"),
    ("destroy -y", '{"format": 99}', "has format 99, newer than this tool knows"),
]


@dataclass(frozen=True)
class Site:
    """This machine without root, in a folder of its own; `old` is an engine of long ago."""

    folder: Path

    @property
    def record(self) -> Path:
        return self.folder / "state/xgen-deploy/p/record.json"

    def run(
        self, command: str, name: str = "m", encoding: str = "utf-8", **model: Any
    ) -> tuple[int, str]:
        """The exit code and what was said, standard error too."""
        manifest = {
            "project": "p",
            "inventory": {"all": {"hosts": {"here": {"ansible_connection": "local"}}}},
            "runtime": "process",
            "binaries": {"llama": str(self.folder / "old")},
            "models": {name: {"source": str(self.folder / "tiny.gguf"), **model}},
            "hosts": {"here": [{"model": name, "name": "m", "gpus": []}]},
        }
        path = self.folder / "site.yaml"
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
        return self.over(path, command, encoding)

    def over(self, path: Path, command: str, encoding: str = "utf-8") -> tuple[int, str]:
        first, *words = command.split()
        code = "from xgen_deploy.cli.main import run; run()"
        done = subprocess.run(
            [sys.executable, "-c", code, first, str(path), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            env={
                **os.environ,
                "XDG_STATE_HOME": str(self.folder / "state"),
                "COLUMNS": "400",
                "PYTHONIOENCODING": encoding,
            },
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def site() -> Iterator[Site]:
    """In a short path: a socket would lie below it."""
    with TemporaryDirectory(prefix="xgen-") as path:
        folder = Path(path)
        tiny_model.write(folder / "tiny.gguf")
        (folder / "old").write_text(OLD_ENGINE)
        (folder / "old").chmod(0o755)
        found = Site(folder)
        found.record.parent.mkdir(parents=True)
        yield found


@pytest.mark.parametrize("command", ["render", "plan", "verify", "apply -y"])
def test_what_a_build_cannot_do_is_refused(site: Site, command: str) -> None:
    code, said = site.run(command, llama={"flash_attn": True})
    assert code == 1
    assert "this build's --flash-attn takes no value" in said


@pytest.mark.parametrize(("command", "text", "reason"), RECORDS, ids=[r[0] for r in RECORDS])
def test_a_record_that_cannot_be_read(site: Site, command: str, text: str, reason: str) -> None:
    site.record.write_text(text)
    code, said = site.run(command)
    assert code == 1
    assert reason in said
    assert "here: here" not in said
    assert site.record.read_text() == text


def test_a_host_whose_record_cannot_be_read_has_unknown_instances(site: Site) -> None:
    site.record.write_text("{")
    _, said = site.run("status --json")
    (row,) = json.loads(said)["models"]
    assert row["status"] == "unknown"
    assert "is damaged" in row["reason"]


@pytest.mark.parametrize("words", ["", " --json"])
def test_a_name_that_the_terminal_cannot_show(site: Site, words: str) -> None:
    code, said = site.run("render" + words, name="모델", encoding="ascii")
    assert code == 0
    assert "\\ubaa8\\ub378" in said


def test_one_whom_nobody_answers_is_no_success(site: Site, tmp_path: Path) -> None:
    hosts = {"gone": {"ansible_host": "127.0.0.1", "ansible_port": 1}}
    manifest = {
        "project": "p",
        "inventory": {"all": {"hosts": hosts}},
        "models": {"m": {"source": "/m.gguf"}},
        "hosts": {"gone": [{"model": "m"}]},
    }
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(manifest))
    for command in ("gpus", "render", "plan", "verify", "status"):
        code, said = site.over(tmp_path / "gone.yaml", command)
        assert (command, code) == (command, 4)
        assert "refused the connection" in said
        _, document = site.over(tmp_path / "gone.yaml", f"{command} --json")
        assert "refused the connection" in document
        json.loads(document)


@pytest.mark.parametrize("record", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_record_is_a_sentence_that_names_the_host(site: Site, record: str) -> None:
    site.record.write_text(record)
    code, said = site.run("plan")
    assert code == 1
    assert "here" in said
    assert "the record of project p" in said or "has more than" in said
    assert len(said) < 4000
