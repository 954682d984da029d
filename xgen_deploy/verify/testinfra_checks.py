"""Units, files, containers and ports looked at with testinfra, through the open session.

testinfra is the `verify` extra of the package; it gets a backend of ours that runs its commands
over the connection that is there already.
"""

import shlex
from typing import Any

from xgen_deploy.errors import UsageError
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.layout import Layout
from xgen_deploy.transport.base import Session
from xgen_deploy.verify.checks import Check

_ASK = 60.0


def deep_checks(instance: Instance, layout: Layout, session: Session) -> tuple[Check, ...]:
    """Raises UsageError where testinfra is not installed."""
    host = _testinfra(session)
    definition = host.file(layout.definition(instance.name_on_host))
    settings = host.file(layout.settings(instance.name_on_host))
    spec = instance.spec
    looked = {
        "definition file": "" if definition.exists else f"{definition.path} is not there",
        "settings folder": _private(settings),
        "port": _port(host, spec.listen, spec.port),
    }
    if layout.process_dir is None:
        service = host.service(f"{layout.service(instance.name_on_host)}.service")
        looked["unit runs"] = "" if service.is_running else "it does not run"
        looked["unit at boot"] = "" if service.is_enabled else "it is not enabled"
    if spec.runtime == "docker":
        box = host.docker(layout.service(instance.name_on_host))
        looked["container runs"] = "" if box.is_running else "it does not run"
    return tuple(
        Check(host=instance.host, instance=instance.name, what=what, ok=not found, found=found)
        for what, found in looked.items()
    )


def _private(folder: Any) -> str:
    if not folder.exists:
        return ""
    return "" if folder.mode == 0o700 else f"{folder.path} has mode {folder.mode:04o}, not 0700"


def _port(host: Any, listen: str, port: int) -> str:
    shown = f"[{listen}]" if ":" in listen else listen
    there = any(host.socket(f"tcp://{a}:{port}").is_listening for a in (shown, "0.0.0.0"))  # noqa: S104
    return "" if there else f"nothing listens on {shown}:{port}"


def _testinfra(session: Session) -> Any:
    try:
        import testinfra.host
        from testinfra.backend import base
    except ImportError:
        raise UsageError(
            "verify --deep needs testinfra: pip install 'xgen-deploy[verify]'"
        ) from None

    class OverSession(base.BaseBackend):  # type: ignore[misc]
        """testinfra's command strings are its own, built with its own quoting."""

        NAME = "xgen-session"

        def __init__(self) -> None:
            super().__init__("session")

        def run(self, command: str, *args: str, **_: Any) -> Any:
            words = [shlex.quote(str(a)) for a in args]
            line = command % tuple(words) if words else command
            done = session.run(["sh", "-c", line], timeout=_ASK)
            return base.CommandResult(
                self, done.returncode, line, done.stdout.encode(), done.stderr.encode()
            )

    backend = OverSession()
    return testinfra.host.Host(backend)
