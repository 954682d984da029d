"""`xgen-deploy models`: the files of models on hosts, who uses them; removes those that nobody
does."""

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.model_hosts import chosen_hosts
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.saved_file import check_writable, write_file
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.error_entry import host_errors
from xgen_deploy.documents.models import HostEntry, ModelsDocument
from xgen_deploy.errors import UsageError, XgenError, exit_code_of, reason_of
from xgen_deploy.state.have import Have, HostHave

if TYPE_CHECKING:
    from xgen_deploy.apply.models_on_hosts import HostModels, Looked

_LIST = "list"
_ACTIONS = (_LIST, "prune", "verify")


class _ModelsCommand(ManifestCommand):
    """What to do may stand before the manifest."""

    def with_manifest(self, ctx: click.Context, args: list[str]) -> list[str]:
        action, rest = (args[0], args[1:]) if args[:1] and args[0] in _ACTIONS else (_LIST, args)
        return [action, *super().with_manifest(ctx, rest)]


@click.command("models", cls=_ModelsCommand)
@click.argument("action", type=click.Choice(_ACTIONS), metavar="[prune|verify]")
@click.option("-y", "--yes", is_flag=True, help="prune: do not ask. Required without a terminal.")
@click.option(
    "--all-history", is_flag=True, help="prune: also what only the last two good applies had."
)
@click.option(
    "--have",
    metavar="FILE",
    help="Also write the digests to FILE, for `bundle create --have`.",
)
@host_options
def command(settings: Settings, action: str, yes: bool, all_history: bool, have: str | None) -> int:
    """Show the models on each host: size, digest, origin, and which instances use them, of any
    project there.

    `models prune` removes what was brought and is needed no more: by no project's record, by none
    of its last two good applies, not by MANIFEST, and open in no process. `models verify` reads
    what was brought whole.
    """
    if action == "prune":
        from xgen_deploy.cli.pruning import pruned

        if not yes and (settings.json or not sys.stdin.isatty()):
            raise UsageError("cannot ask without a terminal; add -y to remove what nobody uses")
        return pruned(settings, yes=yes, history=not all_history)
    if action == "verify":
        from xgen_deploy.cli.verifying import verified

        return verified(settings)
    return _listed(settings, have)


def _listed(settings: Settings, have: str | None) -> int:
    from xgen_deploy.apply.models_on_hosts import models_on
    from xgen_deploy.cli.screens.models import model_entries, model_lines

    if have is not None:
        check_writable(have)
    with open_run(replace(settings, limit=())) as run:
        chosen = chosen_hosts(run.site, settings)
        looked = models_on(run, chosen, history=True, images=have is not None)
    if have is not None:
        write_file(have, _have(run.site.project, looked).model_dump_json(indent=1))
    screen = Screen(settings)
    errors = [e for e in looked.values() if isinstance(e, XgenError)]
    screen.lines(model_lines(looked, time.time(), screen.width), always=bool(errors))
    screen.value(
        ModelsDocument(
            hosts={
                host: HostEntry(reachable=False, error=reason_of(found))
                if isinstance(found, XgenError)
                else HostEntry(
                    reachable=True, models=model_entries(found), unknown=found.needs.unknown
                )
                for host, found in looked.items()
            },
            errors=tuple(host_errors(looked)),
        )
    )
    return exit_code_of(errors)


def _have(project: str, looked: "Looked") -> Have:
    hosts = {
        host: HostHave(digests=_digests(found), images=_images(found))
        for host, found in looked.items()
        if not isinstance(found, XgenError)
    }
    return Have(project=project, at=time.time(), hosts=hosts)


def _digests(found: "HostModels") -> tuple[str, ...]:
    whole = (file.digest for file in found.stock.files if file.state == "whole")
    return tuple(sorted({digest for digest in whole if digest is not None}))


def _images(found: "HostModels") -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(set(found.stock.images)))
