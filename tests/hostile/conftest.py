"""A small site whose one host may turn hostile, and the tool run over it for real."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fake_host.site import FakeSite, Ran
from tests.hostile.values import NESTED, filled

OTHER = "other"
CANARY = "sk-canary-on-this-machine"
_MOST_PRINTED = 200_000
_ALLOWED = re.compile(
    r"/(etc|var/lib)/xgen-deploy(/p(/[A-Za-z0-9][A-Za-z0-9_.-]*)*)?"
    r"|/etc/systemd/system/xgen-p([-.][A-Za-z0-9][A-Za-z0-9_.-]*)?\.(service|timer)(\.next)?"
    r"|/(etc|run)/systemd/system(\.control)?/xgen-p-[A-Za-z0-9][A-Za-z0-9_.-]*\.service\.d"
)
_PROGRAMS = {
    "systemctl", "journalctl", "systemd-run", "systemd-cat", "logger", "docker", "/usr/bin/docker",
    "flock", "sh", "cp", "rmdir", "ls", "test", "stat", "python3", "cat", "chmod", "mv",
    "ask-socket",
}  # fmt: skip
# What a terminal obeys, or shows as something that it is not.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


class Site(FakeSite):
    """Host `h` runs an instance and the gateway; host `other` is the inventory's too."""

    def __init__(
        self, folder: Path, capture: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        super().__init__(folder, capture, monkeypatch, {"h": "cpu", OTHER: "cpu"}, _manifest())
        self.marker = folder / "marker"
        self.canary = folder / "canary"
        self.canary.write_text(CANARY)
        self.host = self.hosts["h"]
        self.other = self.hosts[OTHER]

    def settle(self) -> None:
        """What the hosts tell stays as it is now, but for what a test changes in it."""
        for host in self.hosts.values():
            host.document = {}
            if host.last_request:
                host.document = json.loads(host.observe(b"", host.last_request))
        self.forget()

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
    made = Site(tmp_path, capsys, monkeypatch)
    monkeypatch.setenv("XGEN_TEST_CANARY", CANARY)
    made.apply()
    made.settle()
    return made


def _manifest() -> dict[str, Any]:
    model = {"source": "/m/Qwen3-8B-Q4_K_M.gguf", "n_ctx": 2048, "llama": {"parallel": 2}}
    return {
        "gateway": {"host": "h", "port": 9000, "api_key": {"env": "CLIENT_KEY"}},
        "images": {"llama-server-cpu": "registry.local/engine:1"},
        "models": {"q": {**model, "api_key": {"env": "ENGINE_KEY"}, "env": {"A": "b"}}},
        "hosts": {"h": [{"model": "q", "gpus": [], "container": {"shm_size": "1g"}}]},
    }
