"""`xgen-deploy apply`: shows the plan, asks, carries it out and verifies it."""

from dataclasses import replace

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.gpu_names import AcceptingCommand, repin_of
from xgen_deploy.cli.opening import open_run, run_for
from xgen_deploy.cli.options import (
    Settings,
    accept_new_vectors_option,
    accepting_options,
    bundle_options,
    host_options,
    limit_rate_option,
)
from xgen_deploy.cli.saved_edit import writing_of
from xgen_deploy.cli.saved_plan import saved_plan
from xgen_deploy.errors import UsageError


@click.command("apply", cls=AcceptingCommand)
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Required without a terminal.")
@accepting_options
@click.option(
    "--lock-wait",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="Queue for a host's lock instead of exiting with code 5.",
)
@click.option(
    "--skip-refused",
    is_flag=True,
    help="Leave out hosts with refusals, apply the others, exit with code 1.",
)
@accept_new_vectors_option
@limit_rate_option
@bundle_options
@host_options
def command(
    settings: Settings,
    yes: bool,
    repin: tuple[str, ...],
    refresh: bool,
    rebalance: bool,
    take_over: bool,
    lock_wait: float,
    skip_refused: bool,
    accept_new_vectors: bool,
    limit_rate: int,
) -> int:
    """Apply MANIFEST to its hosts.

    Each instance must answer a real request, and its engine must report the layers, devices and
    context that were asked for; otherwise the previous version is put back. A second apply has
    nothing to do.

    MANIFEST may also be a plan saved by `plan -o FILE`: exactly that plan is carried out, without
    asking, or refused if the manifest or the hosts have changed since.
    """
    saved = saved_plan(settings)
    if saved is not None and settings.bundle is not None:
        raise UsageError("a saved plan takes no --bundle; name a manifest, or none")
    options = ApplyOptions(
        yes=yes or saved is not None,
        refresh=refresh or (saved is not None and saved.refresh),
        rebalance=rebalance and saved is None,
        take_over=take_over if saved is None else saved.take_over,
        lock_wait=lock_wait,
        expected=saved,
        write_manifest=writing_of(saved) if saved is not None else None,
        skip_refused=skip_refused,
        accept_new_vectors=accept_new_vectors,
        limit_rate=limit_rate,
        older=settings.older,
        allow_unsigned=settings.allow_unsigned,
    )
    with run_for(saved.site, settings) if saved else open_run(settings) as run:
        if saved is None:  # that one knows its own
            run = run.paced(limit_rate)
        accepted = repin_of(repin, run.site.hosts) if saved is None else saved.repin
        options = replace(options, repin=accepted)
        return carry_out(run, settings, options)
