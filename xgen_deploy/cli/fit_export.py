"""`fit export`: what drivers were measured to take of GPUs, as a fleet file takes it."""

from rich.markup import escape

from xgen_deploy.cli.opening import open_run_or_fleet
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.fit import DriverEntry, FitDocument
from xgen_deploy.errors import XgenError, exit_code_of, reason_of
from xgen_deploy.manifest.yaml_text import yaml_line
from xgen_deploy.state.driver_memory import DriverMemory, merged
from xgen_deploy.state.observation import records_of

_HEAD = "# Measured by hosts of this project: for `drivers:` of a fleet file."
_NONE = "# None yet: a change measures it, once llama-server runs on a GPU."


def fit_export(settings: Settings, fleet: str | None) -> int:
    """Of all hosts of the manifest. Raises XgenError."""
    with open_run_or_fleet(settings, fleet) as run:
        observed = run.observe()
    errors = {name: o for name, o in observed.items() if isinstance(o, XgenError)}
    seen = [each for record in records_of(observed).values() for each in record.drivers]
    drivers = sorted(merged((), seen), key=lambda d: tuple(part or "" for part in d.key))
    screen = Screen(settings)
    unmeasured = [] if drivers or errors else [_NONE]
    screen.lines([_HEAD, *unmeasured, "drivers:" if drivers else "drivers: []"], exact=True)
    screen.lines((f"  - {yaml_line(_stated(each))}" for each in drivers), exact=True)
    screen.lines((escape(f"# {n}: {reason_of(e)}") for n, e in errors.items()), always=True)
    entries = tuple(DriverEntry(**each.model_dump()) for each in drivers)
    screen.value(FitDocument(drivers=entries, errors=tuple(host_errors(errors))))
    return exit_code_of(errors.values())


def _stated(each: DriverMemory) -> dict[str, object]:
    return each.model_dump(exclude_none=True)
