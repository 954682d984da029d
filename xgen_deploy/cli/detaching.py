"""`fetch --detach`, `--wait` and `--cancel`."""

from collections.abc import Callable, Mapping
from shlex import quote

from rich.markup import escape

from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.progress import progress
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import UsageError, XgenError, exit_code_of, first_that_holds
from xgen_deploy.run.run import Run
from xgen_deploy.state.plan import Plan


def check_alone(*chosen: bool) -> None:
    """Raises UsageError."""
    if sum(chosen) > 1:
        raise UsageError("--detach, --wait and --cancel exclude each other")


def detached(run: Run, settings: Settings, plan: Plan, limit_rate: int) -> dict[str, XgenError]:
    """Gives the hosts what they lack to fetch; those where that failed. Raises UsageError."""
    from xgen_deploy.apply.detached_fetch import needs_here, start
    from xgen_deploy.apply.fetch import Fetching
    from xgen_deploy.secrets.resolver import SecretResolver

    if not plan.prepares:
        return {}
    reasons = list(needs_here(plan.fetches, bundle=plan.bundle is not None))
    if reasons:
        raise UsageError(
            f"nothing was begun: {'; '.join(reasons)}. Only what a host gets by itself goes on "
            "without this machine: state `fetch: host`, or leave out --detach"
        )
    with progress(settings) as report:
        fetching = Fetching(run, SecretResolver(run.site), report, limit_rate=limit_rate)
        lost = start(run, fetching, plan, report)
    begun = sum(event.kind == "done" for event in report.events)
    if settings.json:
        settings.output.ended(None, begun, len(lost), {})
    manifest = quote(settings.manifest)
    line = f"`xgen-deploy status {manifest}` shows it, `xgen-deploy fetch --wait {manifest}` waits"
    Screen(settings).lines([escape(line)] if begun else [])
    return lost


def waited(run: Run, settings: Settings, shown: Callable[[Run, Settings], Plan]) -> int:
    """Waits for what goes on; the exit code."""
    from xgen_deploy.apply.detached_fetch import forget_ended, outcome, wait

    with progress(settings) as report:
        last = wait(run, report)
    plan = shown(run, settings)
    lacking = {(host, f.artifact.name) for f in plan.fetches for host in f.hosts}
    lacking |= {(quantizing.host, quantizing.title) for quantizing in plan.quantizings}
    with progress(settings) as report:
        lost = outcome(last, lacking, report)
        for host in sorted({host for host, _ in lacking} - last.keys()):
            report.problem(host, "nothing goes on there: `xgen-deploy fetch` brings it")
        failed = sum(event.kind == "failed" for event in report.events)
        report.fetched(len(report.events) - failed, failed)
    forget_ended(run, last)
    return first_that_holds(plan.exit_code(), exit_code_of(lost.values()), int(failed > 0))


def called_off(run: Run, settings: Settings) -> int:
    """The exit code."""
    from xgen_deploy.apply.detached_fetch import call_off

    results: Mapping[str, bool | XgenError] = call_off(run)
    lost = {host: error for host, error in results.items() if isinstance(error, XgenError)}
    ended = [host for host, was_there in results.items() if was_there is True]
    if settings.json:
        settings.output.ended(None, len(ended), len(lost), {})
    lines = [f"[green]ok[/green]      {escape(host)}  called off" for host in ended]
    screen = Screen(settings)
    screen.lines(lines if ended or lost else ["no fetch goes on there"])
    screen.lines((f"[red]FAILED[/red]  {escape(str(e))}" for e in lost.values()), always=True)
    return exit_code_of(lost.values())
