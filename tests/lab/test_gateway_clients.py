"""A client's key is changed while clients are at work: nobody else notices."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.lab import ask
from tests.lab.conftest import Lab
from tests.lab.host import LabHost
from tests.lab.site import Site, small_model
from tests.lab.traffic import traffic

PORT = 8446


def _asked(host: LabHost, key: str, model: str) -> tuple[int, str]:
    """Status and `Retry-After` of a request with this key."""
    request = urllib.request.Request(
        f"http://{host.address}:{PORT}/v1/completions",
        json.dumps({"model": model, "prompt": "Hello", "max_tokens": 2}).encode(),
        {"Authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.headers["retry-after"] or ""


def test_a_key_is_rotated_under_load(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("lab-gateway")
    site = Site(tmp_path, "t_clients", ports="8451-8452", env={"KEY_A": "sk-a", "KEY_B": "sk-b"})
    site.models["gemma"] = small_model()
    site.serve(host.name)
    site.hosts[host.name] = {"ansible_host": host.address}
    site.top["gateway"] = {
        "host": host.name,
        "listen": "0.0.0.0",
        "port": PORT,
        "clients": {
            "team-a": {"env": "KEY_A", "models": ["gemma"]},
            "team-b": {"env": "KEY_B", "rate": "2/h"},
        },
    }
    try:
        site.apply()
        with traffic(host.address, PORT, "gemma", "sk-a", clients=4) as others:
            others.more(8)
            site.env["KEY_B"] = "sk-new"
            assert "the value of a secret changed; reload" in site.run("apply", "-y").said
            others.more(8)
        assert others.failed == []
        assert _asked(host, "sk-b", "gemma")[0] == 401
        told = [_asked(host, "sk-new", "gemma") for _ in range(3)]
        assert [status for status, _ in told] == [200, 200, 429]
        assert 0 < int(told[2][1]) <= 3600 - time.time() % 3600 + 60
        assert ask.status_of(host, PORT) == 401
        assert site.run("verify").code == 0
        metrics = host.sh(f"curl -s http://127.0.0.1:{PORT}/metrics/clients")
        assert 'xgen_client_refused_by_rate_total{client="team-b"} 1' in metrics
        log = host.sh("journalctl -u xgen-t_clients-gateway --no-pager")
        assert 'client="team-a"' in log
        assert "sk-" not in log
        config = host.sh("cat /etc/xgen-deploy/t_clients/gateway/haproxy.cfg")
        assert "sk-" not in config
    finally:
        assert site.run("destroy", "-y").code == 0
