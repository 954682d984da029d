"""How `apply`, `rollback`, `destroy`, `stop`, `start` and `restart` begin: hosts are observed while
the modules that carry out a plan are imported.
"""

import time
from dataclasses import replace

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.preload import APPLYING
from xgen_deploy.run.run import Run


def carry_out(run: Run, settings: Settings, options: ApplyOptions) -> int:
    """Returns the exit code."""
    began = time.monotonic()
    options = replace(options, accept_new_host_keys=settings.accept_new_host_keys)
    observed = run.observe(preload=APPLYING)
    from xgen_deploy.apply.flow import Apply
    from xgen_deploy.cli.operator import TerminalOperator

    return Apply(run, options, TerminalOperator(settings, options)).go(observed, began)
