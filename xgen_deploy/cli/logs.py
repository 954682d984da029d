"""`xgen-deploy logs`: an instance's log."""

import sys

import click

from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.run.run import Run
from xgen_deploy.state.layout import SECOND, Layout
from xgen_deploy.transport.base import Session
from xgen_deploy.visible import visible

_MOST = 1 << 24  # bytes
_ASK = 60.0


@click.command("logs")
@click.option("-f", "--follow", is_flag=True, help="Follow the log; Ctrl-C ends.")
@click.option("-n", "--lines", default=200, show_default=True, help="Number of lines.")
@click.option("--previous", is_flag=True, help="The log of the last failed attempt.")
@click.option("--raw", is_flag=True, help="Unescaped bytes; to a file or a pipe only.")
@host_options
@click.argument("instance")
def command(
    settings: Settings, instance: str, follow: bool, lines: int, previous: bool, raw: bool
) -> int:
    """Show the log of INSTANCE; where several hosts run it, add --limit HOST.

    Control and other invisible characters are spelled out, unless --raw is given.
    """
    if raw and (sys.stdout.isatty() or settings.json):
        raise UsageError(
            "--raw needs a file or a pipe: a log may contain terminal control sequences"
        )
    if settings.json and follow:
        raise UsageError("--json cannot follow a log; leave out -f")
    with open_run(settings) as run:
        host = _host_of(run, instance)
        layout = run.layout(host)
        if not previous and not settings.json:
            argv = _argv(layout, instance, lines, follow=follow)
            return run.connections[host].follow(argv, raw=raw)
        with run.connections[host].session() as session:
            if previous:
                lines_shown = _previous(session, layout, host, instance)[-lines:]
            else:
                argv = _argv(layout, instance, lines, follow=False)
                lines_shown = session.run(argv, timeout=_ASK).stdout.splitlines()
    Screen(settings).value({"host": host, "instance": instance, "lines": lines_shown})
    if not settings.json:
        _print(lines_shown, raw=raw)
    return 0


def _print(lines: list[str], *, raw: bool) -> None:
    if raw:
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        return
    for line in lines:
        print(visible(line))


def _previous(session: Session, layout: Layout, host: str, instance: str) -> list[str]:
    log = session.read_file(layout.failed_log(instance), limit=_MOST)
    if log is None:
        raise XgenError(f"{host}/{instance}: no failed attempt is recorded")
    return log.decode(errors="surrogateescape").removesuffix("\n").split("\n")


def _argv(layout: Layout, instance: str, lines: int, *, follow: bool) -> list[str]:
    if layout.process_dir is not None:
        argv = ["tail", f"--lines={lines}", layout.log(instance)]
        return argv + (["--follow=name"] if follow else [])
    slots = (layout.service(instance), layout.service(instance + SECOND))
    units = [f"--unit={slot}.service" for slot in slots]
    argv = ["journalctl", "--no-pager", *units, f"--lines={lines}"]
    return argv + (["--follow"] if follow else [])


def _host_of(run: Run, instance: str) -> str:
    hosts = [d.host for d in run.site.declared if d.name == instance]
    if len(hosts) == 1:
        return hosts[0]
    if hosts:
        raise UsageError(f"{instance} is on {', '.join(hosts)}: add --limit HOST")
    if len(run.site.hosts) == 1:
        return next(iter(run.site.hosts))
    known = ", ".join(sorted({d.name for d in run.site.declared}))
    raise UsageError(f"there is no instance {instance} in the manifest; it has {known}")
