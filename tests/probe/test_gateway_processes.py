"""The gateway's processes, counted in its unit's control group."""

from __future__ import annotations

from pathlib import Path

import pytest

from xgen_deploy.probe.remote import gateway_stats

SOCKET = "/run/xgen-p-gateway/admin.sock"


@pytest.mark.parametrize(("written", "count"), [("11\n12\n13\n", 3), ("", 0), (None, None)])
def test_they_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str | None, count: int | None
) -> None:
    monkeypatch.setattr(gateway_stats, "CGROUPS", str(tmp_path))
    if written is not None:
        (tmp_path / "xgen-p-gateway.service").mkdir()
        (tmp_path / "xgen-p-gateway.service" / "cgroup.procs").write_text(written)
    told = gateway_stats.gateway_stats(SOCKET)
    assert told == {"gateway_stats": None, "gateway_processes": count}
