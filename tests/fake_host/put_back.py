"""What templates/put-back.sh.j2 does (tests/render/test_put_back.py runs the script itself)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xgen_deploy.render.put_back import NOTHING_STOPPED, STOPPED_BEFORE
from xgen_deploy.transport.base import Completed

if TYPE_CHECKING:
    from tests.fake_host.host import FakeHost

_NEXT = ".next"


def put_back(host: FakeHost, arguments: tuple[str, ...]) -> Completed:
    """`arguments` as the script has them: folder, definition, settings, how to start it."""
    previous, definition, settings, *start = arguments
    armed = host.files.get(f"{previous}/armed")
    if armed is None:
        return Completed(0, "", "")
    host.take_away(settings + _NEXT)
    host.take_away(definition + _NEXT)
    if armed.decode() != NOTHING_STOPPED:
        host.take_away(settings)
        _copy(host, f"{previous}/settings", settings)
        _copy(host, f"{previous}/definition", definition)
        at_boot = "disable" if f"{previous}/{STOPPED_BEFORE}" in host.files else "enable"
        host.systemd.run(("systemctl", at_boot, definition.rpartition("/")[2]))
        host.systemd.run(("systemctl", "daemon-reload"))
        host.systemd.run(start)
    host.take_away(f"{previous}/armed")
    return Completed(0, "", "")


def _copy(host: FakeHost, source: str, target: str) -> None:
    for path in [p for p in host.files if p == source or p.startswith(f"{source}/")]:
        host.put(target + path.removeprefix(source), host.files[path], host.modes[path])
