"""`xgen-deploy validate`: every check that needs no host."""

import click
from rich.markup import escape

from xgen_deploy.cli.documents.validate import ValidateDocument
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import read_site
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screen import Screen
from xgen_deploy.resolve.foreseen import foreseen


@click.command("validate", cls=ManifestCommand)
@host_options
def command(settings: Settings) -> int:
    """Check MANIFEST and its inventory. No host is contacted."""
    site = read_site(settings)
    screen = Screen(settings)
    warnings = (*site.warnings, *foreseen(site))
    screen.lines([f"[yellow]warning[/yellow]  {escape(w)}" for w in warnings], always=True)
    count, hosts = len(site.declared), len(site.hosts)
    screen.lines(
        [
            f"{escape(settings.manifest)}: valid: {count} instance{'s'[: count != 1]} "
            f"on {hosts} host{'s'[: hosts != 1]}"
        ]
    )
    screen.value(
        ValidateDocument(
            valid=True,
            project=site.project,
            instances=count,
            hosts=tuple(site.hosts),
            warnings=tuple(warnings),
        )
    )
    return 0
