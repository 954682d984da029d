"""`status --watch` looks again until Ctrl-C."""

import json

import pytest

from tests.apply.conftest import MakeSite
from tests.fake_host.site import FakeSite
from xgen_deploy.cli.commands import status


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    """Between the first look and the second the engine is stopped; after that comes Ctrl-C."""
    made = make_site()
    made.apply()
    looks: list[float] = []

    class Waiting:
        time = staticmethod(lambda: 1700000000.0)

        @staticmethod
        def sleep(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 2:
                raise KeyboardInterrupt
            made.hosts["h"].systemd.run(["systemctl", "stop", "xgen-p-q.service"])

    monkeypatch.setattr(status, "time", Waiting)
    return made


def test_each_look_shows_what_runs_then(site: FakeSite) -> None:
    ran = site.run("status", "--watch")
    assert ran.code == 130
    assert ran.out.count("HOST  INSTANCE") == 2
    assert ran.out.index("1 running") < ran.out.index("1 stopped")


def test_json_is_a_document_a_look(site: FakeSite) -> None:
    ran = site.run("status", "--watch", "--json")
    decoder, states, rest = json.JSONDecoder(), [], ran.out
    while rest.strip():
        document, end = decoder.raw_decode(rest)
        states += [m["status"] for m in document.get("models") or ()]
        rest = rest[end:].lstrip()
    assert states[:2] == ["running", "stopped"]
