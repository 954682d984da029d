"""Everything of this project that a service manager runs."""

from __future__ import annotations

from typing import Any

from xgen_deploy.probe.remote.journald import journal_gap
from xgen_deploy.probe.remote.units import systemd_version, units


def services(project: str, process_dir: str | None) -> dict[str, Any]:
    """Raises where a manager is there and does not answer."""
    version = systemd_version()
    known = units(project) if version else []
    services = [unit for unit in known if not unit["name"].endswith(".timer")]
    timer = next((unit for unit in known if unit["name"].endswith(".timer")), None)
    if process_dir:
        from xgen_deploy.probe.remote.programs import programs  # costly, and seldom needed

        services += programs(process_dir)
    return {
        "systemd": version,
        "journal_gap": journal_gap() if version else None,
        "services": services,
        "timer": timer,
    }
