"""A small site whose one host may turn hostile, and the tool run over it for real."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.hostile.host import Document, FakeHost
from tests.hostile.values import NESTED, filled
from tests.render.scene import Scene
from xgen_deploy.cli import main
from xgen_deploy.state.gateway_paths import config_file
from xgen_deploy.state.layout import system_layout

LAYOUT = system_layout("p")
OTHER = "other"
CANARY = "sk-canary-on-this-machine"
_MOST_PRINTED = 200_000
_ALLOWED = re.compile(
    r"/(etc|var/lib)/xgen-deploy(/p(/[A-Za-z0-9][A-Za-z0-9_.-]*)*)?"
    r"|/etc/systemd/system/xgen-p([-.][A-Za-z0-9][A-Za-z0-9_.-]*)?\.(service|timer)(\.next)?"
)
_PROGRAMS = {
    "systemctl", "journalctl", "systemd-run", "systemd-cat", "logger", "docker", "/usr/bin/docker",
    "flock", "sh", "cp", "rmdir", "ls", "test", "stat", "python3", "cat", "chmod", "mv",
    "ask-socket",
}  # fmt: skip
# What a terminal obeys, or shows as something that it is not.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


@dataclass(frozen=True)
class Ran:
    """How the tool ended, and all that it printed."""

    code: int
    said: str


class Site:
    """Host `h` runs an instance and the gateway; host `other` is the inventory's too."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.marker = folder / "marker"
        self.canary = folder / "canary"
        self.canary.write_text(CANARY)
        self._capture = capture
        scene = Scene(_case(), folder)
        document = json.loads(scene.facts.model_dump_json(exclude_none=True))
        document["files"] = [{"path": "/usr/sbin/haproxy", "kind": "file"}]
        self.host = FakeHost("h", document, {})
        self.other = FakeHost(OTHER, {**document, "hostname": OTHER}, {})
        self.hosts = {"h": self.host, OTHER: self.other}

    def run(self, command: str, *words: str) -> Ran:
        """One command of the command line over the manifest, in this process."""
        return self.run_on(self.folder / "manifest.yaml", command, *words)

    def run_on(self, file: Path, command: str, *words: str) -> Ran:
        """The same over another file: a saved plan."""
        self._capture.readouterr()
        try:
            with pytest.raises(SystemExit) as ended:
                main.run([command, str(file), *words])
        except Exception as error:  # noqa: BLE001 - a user would see a traceback
            said = "".join(traceback.format_exception(error)[-2:])
            return Ran(1, f"Traceback {said}")
        out, err = self._capture.readouterr()
        code = ended.value.code
        return Ran(code if isinstance(code, int) else 1, out + err)

    def change(self, change: Callable[[Any], object]) -> None:
        """The manifest, as an operator edits it."""
        path = self.folder / "manifest.yaml"
        manifest = yaml.safe_load(path.read_text())
        change(manifest)
        path.write_text(yaml.safe_dump(manifest))

    def settle(self) -> None:
        """The hosts' next documents tell what was just applied."""
        for host in self.hosts.values():
            if LAYOUT.record in host.files:
                self._settle(host)
        self.forget()

    def _settle(self, host: FakeHost) -> None:
        files, document = host.files, host.document
        document["record"] = files[LAYOUT.record].decode()
        document["services"] = [
            _service(Path(path).name, content)
            for path, content in files.items()
            if path.endswith(".service") and "-" in Path(path).name
        ]
        path = config_file(LAYOUT)
        document["files"] = [{"path": "/usr/sbin/haproxy", "kind": "file"}]
        if path in files:
            config = {"path": path, "kind": "file", "sha256": _sha(files[path])}
            document["files"].append(config)

    def forget(self) -> None:
        """What was done to the hosts so far is not looked at any more."""
        for host in self.hosts.values():
            host.touched.clear()
            host.removed_within.clear()
            host.ran.clear()

    def hostile(self, value: Any) -> Any:
        """A value of `values.py` with this test's own marker and canary in it."""
        return filled(value, marker=str(self.marker), canary=str(self.canary))

    def text(self, document: Any) -> str:
        """JSON as a host may write it."""
        return json.dumps(document).replace('"NESTED"', NESTED)


def check(site: Site, ran: Ran) -> None:
    """Nothing ran here, nothing was sent there, nothing outside was touched, and it was said."""
    assert not site.marker.exists(), "a command of the host's ran on this machine"
    for host in site.hosts.values():
        sent = b"".join(host.files.values()).decode(errors="replace")
        assert CANARY not in sent, f"a file of this machine was sent to {host.name}"
        for path in host.touched:
            assert _ALLOWED.fullmatch(path), f"{path} was touched on {host.name}"
            assert "/.." not in path
        for path, within in host.removed_within:
            assert path.startswith(within.rstrip("/") + "/"), (path, within)
        for argv in host.ran:
            assert argv[0] in _PROGRAMS, argv
            assert not {"--privileged", "/:/host"} & set(argv), argv
    assert CANARY not in ran.said
    assert ran.code in (0, 1, 4), ran
    assert "Traceback" not in ran.said, ran.said[:2000]
    assert "itself failed" not in ran.said, ran.said[:2000]
    assert len(ran.said) < _MOST_PRINTED, "the terminal was flooded"
    obeyed = _OBEYED.search(ran.said)
    assert obeyed is None, ascii(ran.said[max(0, obeyed.start() - 80) :][:160])


@pytest.fixture
def site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Site:
    """Applied once, and as its host then tells of it."""
    made = Site(tmp_path, capsys)
    _connect(monkeypatch, made)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("XGEN_TEST_CANARY", CANARY)
    monkeypatch.setenv("ENGINE_KEY", "sk-engine")
    monkeypatch.setenv("CLIENT_KEY", "sk-client")
    for name in ("run", "Popen", "check_output"):
        monkeypatch.setattr(subprocess, name, _only_git(getattr(subprocess, name)))
    applied = made.run("apply", "-y")
    assert applied.code == 0, applied.said
    made.settle()
    return made


def _connect(monkeypatch: pytest.MonkeyPatch, site: Site) -> None:
    """The fake hosts in place of connections; nobody waits for what answers at once."""

    class Connector:
        def __init__(self, *_: object) -> None: ...

        def connect(self, host: Any) -> FakeHost:
            return site.hosts[host.name]

        def close(self) -> None: ...

    monkeypatch.setattr("xgen_deploy.run.run.Connector", Connector)
    monkeypatch.setattr("xgen_deploy.apply.gate.SOAK", 0.0)


def _only_git(real: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(argv: Any, *more: Any, **how: Any) -> Any:
        assert argv[0] == "git", f"{argv} was run on this machine"
        return real(argv, *more, **how)

    return guarded


def _case() -> dict[str, Any]:
    model = {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 2048, "llama": {"parallel": 2}}
    return {
        "host": "cpu",
        "top": {
            "inventory": {"all": {"hosts": {"h": {}, OTHER: {}}}},
            "gateway": {"host": "h", "port": 9000, "api_key": {"env": "CLIENT_KEY"}},
            "images": {"llama-server-cpu": "registry.local/engine:1"},
        },
        "models": {
            "q": {**model, "api_key": {"env": "ENGINE_KEY"}, "env": {"A": "b"}},
        },
        "place": [{"model": "q", "gpus": [], "container": {"shm_size": "1g"}}],
    }


def _service(name: str, content: bytes) -> Document:
    return {
        "name": name,
        "kind": "unit",
        "state": "active",
        "sub_state": "running",
        "sha256": _sha(content),
        "enabled": True,
        "pid": 7,
        "restarts": 0,
        "invocation": "run-1",
    }


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
