"""`xgen-deploy apply`: shows the plan, asks, carries it out and verifies it."""

from dataclasses import replace
from pathlib import Path

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.opening import open_run, read_site, run_for
from xgen_deploy.cli.options import Settings, accepting_options, host_options
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.saved import SavedPlan, read_saved


@click.command("apply")
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
@host_options
def command(
    settings: Settings,
    yes: bool,
    repin: bool,
    refresh: bool,
    lock_wait: float,
    skip_refused: bool,
) -> int:
    """Apply MANIFEST to its hosts.

    Each instance must answer a real request, and its engine must report the layers, devices and
    context that were asked for; otherwise the previous version is put back. A second apply has
    nothing to do.

    MANIFEST may also be a plan saved by `plan -o FILE`: exactly that plan is carried out, without
    asking, or refused if the manifest or the hosts have changed since.
    """
    saved = _saved(settings.manifest)
    if saved is not None:
        _refuse_if_changed(saved, settings)
    options = ApplyOptions(
        yes=yes or saved is not None,
        repin=repin,
        refresh=refresh or (saved is not None and saved.refresh),
        lock_wait=lock_wait,
        expected=saved,
        skip_refused=skip_refused,
    )
    with run_for(saved.site, settings) if saved else open_run(settings) as run:
        return carry_out(run, settings, options)


def _saved(path: str) -> SavedPlan | None:
    """A saved plan starts with a brace, which no manifest does."""
    try:
        with Path(path).open("rb") as file:
            if file.read(1) != b"{":
                return None
        return read_saved(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError):
        return None


def _refuse_if_changed(saved: SavedPlan, settings: Settings) -> None:
    """Raises UsageError where the manifest has changed since the plan was saved."""
    if settings.limit or settings.inventory:
        raise UsageError("a saved plan has its own inventory and limit; leave out -i and --limit")
    if Path(saved.site.manifest_file).exists():
        now = read_site(replace(settings, manifest=saved.site.manifest_file))
        if now.manifest_digest != saved.site.manifest_digest:
            raise UsageError(
                f"refused: {saved.site.manifest_file} or its inventory has changed "
                "since the plan was saved; save a new one with `xgen-deploy plan -o FILE`"
            )
