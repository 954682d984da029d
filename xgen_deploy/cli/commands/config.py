"""`xgen-deploy config`: a manifest as merged, or as a host kept it of its last apply."""

import click

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.from_host import show_from_host
from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.opening import refuse_saved_plan
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.config import ConfigDocument
from xgen_deploy.errors import UsageError
from xgen_deploy.manifest.annotated_yaml import annotated_yaml, places
from xgen_deploy.manifest.limit import limit
from xgen_deploy.manifest.load import checked_site, read
from xgen_deploy.manifest.merged_tree import merged_tree
from xgen_deploy.manifest.node import plain
from xgen_deploy.visible import printable

_FROM_HOST = "--from-host"


class _ConfigCommand(ManifestCommand):
    """With --from-host it takes no manifest."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if any(word == _FROM_HOST or word.startswith(f"{_FROM_HOST}=") for word in args):
            return click.Command.parse_args(self, ctx, ["", *args])
        return super().parse_args(ctx, args)


@click.command("config", cls=_ConfigCommand)
@click.option(
    _FROM_HOST,
    metavar="HOST",
    help="What HOST kept of its last apply; HOST as ssh takes it, or with -i of the inventory.",
)
@click.option("--project", metavar="NAME", help="Where several projects are on HOST.")
@host_options
def command(settings: Settings, from_host: str | None, project: str | None) -> int:
    """Print MANIFEST as merged: what `extends`, groups, `defaults` and variables come to for each
    host, every value with the file and line that it comes from. No host is contacted.

    With --from-host: the manifest that HOST kept of the last apply there, for `status`, `logs`,
    `restart` and `rollback` without the repository. What a host says of how others are reached is
    left out.

    Secrets are references.
    """
    if from_host is not None:
        return show_from_host(settings, from_host, project)
    if project is not None:
        raise UsageError(f"--project goes with {_FROM_HOST}")
    return _show_merged(settings)


def _show_merged(settings: Settings) -> int:
    refuse_saved_plan(settings.manifest)
    reading = read(
        settings.manifest,
        engine_words(),
        inventory=settings.inventory,
        variables=settings.variables,
    )
    site = limit(checked_site(reading), settings.limit)
    tree = merged_tree(reading, site.hosts)
    if not settings.json:
        print("\n".join(printable(line) for line in annotated_yaml(tree, reading.views)))
    manifest = plain(tree)
    Screen(settings).value(
        ConfigDocument(
            project=site.project,
            manifest=manifest if isinstance(manifest, dict) else None,
            places=places(tree, reading.views),
        )
    )
    return 0
