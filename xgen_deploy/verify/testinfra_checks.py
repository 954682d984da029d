"""`verify --deep`: units, files, containers and ports, checked with testinfra.

testinfra is the package's extra `verify`. It gets a backend that runs its commands over the
session that is open already.
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
    problems = {
        "definition file": "" if definition.exists else f"{definition.path} is missing",
        "settings folder": _private(settings),
        "port": _port(host, spec.listen, spec.port),
    }
    if layout.process_dir is None:
        service = host.service(f"{layout.service(instance.name_on_host)}.service")
        problems["unit runs"] = "" if service.is_running else "not running"
        problems["unit at boot"] = "" if service.is_enabled else "not enabled"
    if spec.runtime == "docker":
        box = host.docker(layout.service(instance.name_on_host))
        problems["container runs"] = "" if box.is_running else "not running"
    return tuple(
        Check(host=instance.host, instance=instance.name, what=what, ok=not problem, found=problem)
        for what, problem in problems.items()
    )


def _private(folder: Any) -> str:
    if not folder.exists:
        return ""
    return "" if folder.mode == 0o700 else f"{folder.path} has mode {folder.mode:04o}, not 0700"


def _port(host: Any, listen: str, port: int) -> str:
    shown = f"[{listen}]" if ":" in listen else listen
    addresses = (shown, "0.0.0.0")  # noqa: S104
    listening = any(host.socket(f"tcp://{a}:{port}").is_listening for a in addresses)
    return "" if listening else f"nothing listens on {shown}:{port}"


def _testinfra(session: Session) -> Any:
    try:
        import testinfra.host
        from testinfra.backend import base
    except ImportError:
        raise UsageError(
            "`verify --deep` needs testinfra. Install it: `pip install xgen-deploy[verify]`"
        ) from None

    class OverSession(base.BaseBackend):  # type: ignore[misc]
        """Runs the shell commands that testinfra builds and quotes itself."""

        NAME = "xgen-session"

        def __init__(self) -> None:
            super().__init__("session")

        def run(self, command: str, *args: str, **_: Any) -> Any:
            words = [shlex.quote(str(a)) for a in args]
            line = command % tuple(words) if words else command
            result = session.run(["sh", "-c", line], timeout=_ASK)
            return base.CommandResult(
                self, result.returncode, line, result.stdout.encode(), result.stderr.encode()
            )

    backend = OverSession()
    return testinfra.host.Host(backend)
