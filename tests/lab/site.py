"""A manifest for the lab, and the tool run over it as a stranger would run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.lab import access, cache, places
from tests.lab.conftest import Lab
from tests.lab.host import LabHost

_TOOL = (sys.executable, "-c", "from xgen_deploy.cli.main import run; run()")
Fields = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """How the tool ended and what it said."""

    code: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        return self.stdout + self.stderr

    def json(self) -> Any:
        return json.loads(self.stdout)

    def operations(self, host: str) -> list[Fields]:
        """Of `plan --json`."""
        found: list[Fields] = self.json()["hosts"][host]["operations"]
        return found

    def causes(self, host: str) -> dict[str, str]:
        """Instance -> `action: cause`, of `plan --json`."""
        return {o["instance"]: f"{o['action']}: {o['cause']}" for o in self.operations(host)}

    def refusals(self, host: str) -> str:
        """Reasons and ways out of `plan --json`, a line each."""
        found = self.json()["hosts"][host]["refusals"]
        return "\n".join(f"{r['reason']}\n{r['way_out'] or ''}" for r in found)


@dataclass
class Site:
    """One project. `hosts` are the inventory's variables by host, `placements` by host; `top`
    are further keys of the manifest, over the usual ones.
    """

    folder: Path
    project: str
    runtime: str = "systemd"
    ports: str = "8101-8110"
    hosts: dict[str, Fields] = field(default_factory=dict)
    models: dict[str, Fields] = field(default_factory=dict)
    placements: dict[str, list[Fields]] = field(default_factory=dict)
    top: Fields = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    ssh_config: Path | None = field(default_factory=access.config_path)
    tool: tuple[str, ...] = _TOOL

    @property
    def manifest(self) -> Path:
        return self.folder / "site.yaml"

    def serve(self, host: str, model: str = "gemma", **placement: Any) -> None:
        """The lab's small model on a host, on the CPU unless stated."""
        self.hosts.setdefault(host, {})
        self.models.setdefault(model, small_model())
        self.placements.setdefault(host, []).append({"model": model, "gpus": [], **placement})

    def write(self) -> Path:
        """The manifest as it stands now."""
        whole = {
            "project": self.project,
            "inventory": {"all": {"hosts": self.hosts}},
            "runtime": self.runtime,
            "ports": self.ports,
            "pull": "never",
            "images": {"llama": places.IMAGE},
            "binaries": {"llama": places.ENGINE},
            "models": self.models or {"gemma": small_model()},
            "hosts": {h: self.placements.get(h, []) for h in self.hosts},
        }
        self.manifest.write_text(yaml.safe_dump({**whole, **self.top}, sort_keys=False))
        return self.manifest

    def run(self, command: str, *words: str, timeout: float = 400) -> Ran:
        """Writes the manifest and runs a command over it; it never ends in a traceback."""
        return self.run_on(self.write(), command, *words, timeout=timeout)

    def run_on(self, file: Path, command: str, *words: str, timeout: float = 400) -> Ran:
        """The same over another file: a saved plan."""
        done = subprocess.run(
            self.argv_on(file, command, *words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment(),
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, command: str, *words: str) -> subprocess.Popen[str]:
        """The same, left running."""
        return subprocess.Popen(
            self.argv(command, *words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment(),
            start_new_session=True,
            # What a shell starts in the background ignores Ctrl-C, and so would this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def argv(self, command: str, *words: str) -> list[str]:
        return self.argv_on(self.write(), command, *words)

    def argv_on(self, file: Path, command: str, *words: str) -> list[str]:
        reaches = self.ssh_config is not None and command != "show"
        options = ["--ssh-config", str(self.ssh_config)] if reaches else []
        return [*self.tool, *command.split(), str(file), *options, *words]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **self.env}

    def plan(self, code: int, *words: str) -> Ran:
        """Planned with this exit code, or the test ends here with what was said."""
        done = self.run("plan", "--detailed-exitcode", "--json", *words)
        assert done.code == code, done.said
        return done

    def apply(self, *words: str) -> Ran:
        """Applied, or the test ends here with what was said."""
        done = self.run("apply", "-y", *words)
        assert done.code == 0, done.said
        return done


def kill_at_start(applying: subprocess.Popen[str]) -> None:
    """An `apply --json` in the middle of a change: the old version has stopped."""
    assert applying.stdout is not None
    for line in applying.stdout:
        if json.loads(line)["kind"] == "start":
            break
    os.killpg(applying.pid, signal.SIGKILL)
    applying.wait()


@contextmanager
def alone(lab: Lab, name: str) -> Iterator[LabHost]:
    """A host that no other run of the tests uses meanwhile: what lies on it can be compared."""
    with cache.locked(places.lock(f"alone-{name}")):
        yield lab.host(name)


def small_model(**fields: Any) -> Fields:
    """The lab's language model, quick to load. Fields of `llama` are added to its own."""
    llama: Mapping[str, Any] = fields.pop("llama", {})
    return {"source": places.MODEL, "n_ctx": 512, "llama": {"threads": 2, **llama}, **fields}
