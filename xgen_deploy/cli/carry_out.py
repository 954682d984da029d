"""How `apply`, `rollback` and `destroy` go about it."""

import time

from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.take import How
from xgen_deploy.run.run import Run

# What comes next, imported while the hosts answer.
NEXT = ("xgen_deploy.cli.applying", "rich.console")


def carry_out(run: Run, settings: Settings, how: How) -> int:
    """The exit code. Every host is looked at, and those to be changed again under their locks."""
    began = time.monotonic()
    seen = run.observe(then=NEXT)
    from xgen_deploy.cli.applying import Applying

    return Applying(run, settings, how).go(seen, began)
