"""`xgen-deploy status`: what runs, as the engines report it."""

import time
from dataclasses import dataclass

import click
from rich.markup import escape

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.how_to_ask import asking_lines
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.cli.screens.status import status_lines, warning_lines
from xgen_deploy.cli.screens.versions import version_lines
from xgen_deploy.documents.applied_commit import applied_commit, commit_line
from xgen_deploy.documents.status import status_document
from xgen_deploy.frozen import replace
from xgen_deploy.plan.headlines import named
from xgen_deploy.plan.out_of_service import in_force
from xgen_deploy.state.observation import records_of
from xgen_deploy.state.site import Site
from xgen_deploy.verify.selection import Condition, condition, narrowed
from xgen_deploy.verify.site_status import SiteStatus, site_status
from xgen_deploy.verify.status import Status

_EVERY = 3.0  # seconds


@dataclass(frozen=True)
class View:
    """What of it is asked for."""

    watch: bool = False
    versions: bool = False
    conditions: tuple[Condition, ...] = ()


@click.command("status", cls=ManifestCommand)
@click.option("--watch", is_flag=True, help="Keep showing it, with GPUs and rates; `q` ends.")
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Only these instances: `build<11434`, `state=failed`, `host=gpu-0*`; repeatable.",
)
@click.option("--versions", is_flag=True, help="Show builds, model files and units instead.")
@host_options
def command(settings: Settings, watch: bool, wheres: tuple[str, ...], versions: bool) -> int:
    """Show what runs on every host, with the layers, devices and context that engines reported.

    Exits with 0 if every instance shown runs, 1 if one does not, 4 if a host could not be reached.
    """
    view = View(watch=watch, versions=versions, conditions=tuple(map(condition, wheres)))
    screen = Screen(settings)
    with open_run(settings, brings=False) as run:
        if watch and screen.is_interactive and not (versions or settings.quiet):
            from xgen_deploy.cli.status_watch import watch_status  # seldom

            return watch_status(run, lambda status: narrowed(status, view.conditions)[0])
        while True:
            status = site_status(run.site, in_force(run.observe(health=True), time.time()))
            if watch and screen.width is not None:
                click.clear()
            code = _show(status, run.site, settings, screen, view)
            if not watch:
                return code
            time.sleep(_EVERY)


def _show(whole: SiteStatus, site: Site, settings: Settings, screen: Screen, view: View) -> int:
    """Returns the exit code of what is shown."""
    status, unknown = narrowed(whole, view.conditions)
    always = not status.all_run or bool(warning_lines(status))
    if view.versions:
        screen.lines(version_lines(status, screen.width), always=always)
    else:
        lines = status_lines(status, time.time(), screen.width, verbose=settings.verbose)
        screen.lines(lines, always=always)
    screen.lines(_untold(unknown))
    screen.lines(_all_left_out(whole, status))
    applied = applied_commit(site.manifest_file, status.observed)
    if line := commit_line(site.manifest_file, applied):
        screen.lines([escape(line)])
    if view == View():
        screen.lines(_how_to_ask(site, status, settings.manifest), exact=True)
    document = replace(status_document(status), applied_commit=applied)
    screen.value(document, more=view.watch)
    return status.exit_code


def _untold(unknown: tuple[Status, ...]) -> list[str]:
    if not unknown:
        return []
    names = named([f"{i.host}/{i.instance}" for i in unknown])
    return [f"[yellow]left out, because it cannot be told of them:[/yellow] {escape(names)}"]


def _all_left_out(whole: SiteStatus, status: SiteStatus) -> list[str]:
    if status.instances or not whole.instances:
        return []
    count = len(whole.instances)
    return [
        f"`--where` leaves out all {count} instances"
        if count > 1
        else "`--where` leaves out the only instance"
    ]


def _how_to_ask(site: Site, status: SiteStatus, manifest: str) -> list[str]:
    down = {(i.host, i.instance) for i in status.instances if i.status != "running"}
    if len(down) == len(status.instances):
        return []
    lines = asking_lines(site, records_of(status.observed), manifest, down)
    return ["", *lines] if lines else []
