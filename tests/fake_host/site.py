"""Hosts in memory, a manifest over them, and the command line run over both for real."""

from __future__ import annotations

import copy
import json
import subprocess
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fake_host.clock import skip_waiting
from tests.fake_host.host import LAYOUT, FakeHost
from xgen_deploy.cli import main
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates

Manifest = dict[str, Any]
SECRETS = {"ENGINE_KEY": "sk-engine", "CLIENT_KEY": "sk-client", "OTHER_KEY": "sk-other"}


@dataclass(frozen=True)
class Ran:
    """How the tool ended, and all that it printed; `out` on standard output alone."""

    code: int
    said: str
    out: str = ""

    @property
    def err(self) -> str:
        """On standard error alone."""
        return self.said.removeprefix(self.out)


class FakeSite:
    """`kinds` are hosts by name, each of a kind of tests/render/hosts.yaml; `manifest` goes over
    a small one. `commands` are those of secrets, with what they print; `commands_run` those that
    were run.
    """

    def __init__(
        self,
        folder: Path,
        capture: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        kinds: Mapping[str, str],
        manifest: Manifest,
    ) -> None:
        self.folder = folder
        self._capture = capture
        self.commands: dict[str, str] = {}
        self.commands_run: list[str] = []
        self.hosts = {name: FakeHost(name, kind) for name, kind in kinds.items()}
        self._peers()
        self._write(
            {
                "project": "p",
                "runtime": "systemd",
                "inventory": {"all": {"hosts": {name: {} for name in kinds}}},
                "binaries": {"llama": "/opt/engine", "vllm": "/opt/vllm/bin/vllm"},
                **manifest,
            }
        )
        self.clock = skip_waiting(monkeypatch)
        self._connect(monkeypatch)

    def run(self, command: str, *words: str) -> Ran:
        """One command of the command line over the manifest, in this process."""
        return self.run_on(self.folder / "manifest.yaml", command, *words)

    def run_on(self, file: Path, command: str, *words: str) -> Ran:
        """The same over another file: a saved plan."""
        return self.call(command, str(file), *words)

    def call(self, *words: str) -> Ran:
        """One command line as it stands."""
        self._capture.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main.run(list(words))
        except Exception as error:  # noqa: BLE001 - a user would see a traceback
            said = "".join(traceback.format_exception(error)[-2:])
            return Ran(1, f"Traceback {said}")
        out, err = self._capture.readouterr()
        code = ended.value.code
        ran = Ran(code if isinstance(code, int) else 1, out + err, out)
        self._keeps_secrets(ran)
        return ran

    def apply(self, code: int = 0) -> str:
        """What was said of an apply that ended so."""
        ran = self.run("apply", "-y")
        assert ran.code == code, ran.said
        return ran.said

    def change(self, change: Callable[[Manifest], object]) -> None:
        """The manifest, as an operator edits it."""
        manifest = self.manifest
        change(manifest)
        self._write(manifest)

    def change_to(self, manifest: Manifest) -> None:
        self._write(manifest)

    @property
    def manifest(self) -> Manifest:
        read: Manifest = yaml.safe_load((self.folder / "manifest.yaml").read_text())
        return read

    def record(self, host: str = "h") -> dict[str, Any]:
        """What a host remembers."""
        read: dict[str, Any] = json.loads(self.hosts[host].files[LAYOUT.record])
        return read

    def pending_operations(self) -> list[str]:
        """What another apply would do, as `HOST/INSTANCE ACTION`."""
        plan = json.loads(self.run("plan", "--json").said)
        return [f"{o['id']} {o['action']}" for h in plan["hosts"].values() for o in h["operations"]]

    def saved(self) -> dict[str, FakeHost]:
        """The hosts as they are, for `restore`."""
        return copy.deepcopy(self.hosts)

    def restore(self, hosts: dict[str, FakeHost]) -> None:
        self.hosts.update(copy.deepcopy(hosts))
        self._peers()

    def forget(self) -> None:
        for host in self.hosts.values():
            host.forget()

    def _peers(self) -> None:
        for host in self.hosts.values():
            host.peers = self.hosts

    def _write(self, manifest: Manifest) -> None:
        (self.folder / "manifest.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False))

    def _connect(self, monkeypatch: pytest.MonkeyPatch) -> None:
        site = self

        class Connector:
            def __init__(self, *_: object) -> None: ...

            def connect(self, host: Any) -> FakeHost:
                return site.hosts[host.name]

            def close(self) -> None: ...

        monkeypatch.setattr("xgen_deploy.run.run.Connector", Connector)
        monkeypatch.setattr("xgen_deploy.render.templates.Templates", lambda _: _templates())
        monkeypatch.setenv("COLUMNS", "200")
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        for name in ("run", "Popen", "check_output"):
            monkeypatch.setattr(subprocess, name, self._run_here)

    def _run_here(self, argv: Any, *_: object, **how: Any) -> subprocess.CompletedProcess[Any]:
        """The manifest is in no checkout, and nothing but a secret's command runs here."""
        command = " ".join(argv)
        if command in self.commands:
            self.commands_run.append(command)
            return subprocess.CompletedProcess(argv, 0, self.commands[command].encode(), b"")
        assert argv[0] == "git", f"{argv} was run on this machine"
        said = "not a git repository"
        return subprocess.CompletedProcess(
            argv, 128, "", said if how.get("text") else said.encode()
        )

    def _keeps_secrets(self, ran: Ran) -> None:
        """No value of a secret is in a command, in what is said, or in a file that others read."""
        for secret in SECRETS.values():
            assert secret not in ran.said
            for host in self.hosts.values():
                assert not [argv for argv in host.ran if secret in " ".join(argv)]
                for path, content in host.files.items():
                    if secret.encode() in content:
                        assert path.startswith(LAYOUT.etc_dir) or "/previous/" in path, path
                        assert host.modes[path] & 0o077 == 0, path


@cache
def _templates() -> Templates:
    """Compiled once for all runs: that takes longer than the rest of a run."""
    return Templates(read_templates())
