"""How `apply`, `rollback`, `destroy`, `stop`, `start` and `restart` begin: hosts are observed while
the modules that carry out a plan are imported.
"""

import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.opening import find_origin, with_origin
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.preload import APPLYING
from xgen_deploy.run.run import Run
from xgen_deploy.state.observation import Observed

if TYPE_CHECKING:
    from xgen_deploy.apply.user_interface import Reporter


def carry_out(run: Run, settings: Settings, options: ApplyOptions) -> int:
    """Returns the exit code."""
    return observe_and_apply(run, settings, options)[0]


def observe_and_apply(
    run: Run, settings: Settings, options: ApplyOptions, reporter: "Reporter | None" = None
) -> tuple[int, Observed]:
    """Returns the exit code and what was observed first. `reporter` as in Terminal."""
    began = time.monotonic()
    options = replace(options, accept_new_host_keys=settings.accept_new_host_keys)
    by_manifest = options.what in ("apply", "destroy")
    observed = run.observe(
        preload=APPLYING,
        also=partial(find_origin, run) if by_manifest else None,
        to_bring=options.may_bring,
    )
    run = with_origin(run) if by_manifest else run
    from xgen_deploy.apply.flow import Apply
    from xgen_deploy.cli.terminal import Terminal

    terminal = Terminal(settings, options, reporter)
    return Apply(run, options, terminal).go(observed, began), observed
