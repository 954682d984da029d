"""`xgen-deploy rollback`: an earlier apply again, verified in the same way."""

import click

from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.apply.going_back import as_then, earlier, refuse_disagreement, refuse_strange
from xgen_deploy.apply.histories import entries_by_host
from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.cli.applying import carry_out
from xgen_deploy.cli.manifest_command import NamedManifestCommand
from xgen_deploy.cli.opening import open_run
from xgen_deploy.cli.options import Settings, accept_new_vectors_option, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.errors import UsageError, XgenError


@click.command("rollback", cls=NamedManifestCommand)
@click.option("-y", "--yes", is_flag=True, help="Do not ask. Required without a terminal.")
@click.option(
    "--to", type=int, metavar="N", help="Number of the apply; the previous one by default."
)
@click.option(
    "--trust-history",
    is_flag=True,
    help="Accept what a host's history has beyond the current manifest: container options, "
    "mounts, programs, variables, secrets.",
)
@accept_new_vectors_option
@host_options
def command(
    settings: Settings,
    yes: bool,
    to: int | None,
    trust_history: bool,
    accept_new_vectors: bool,
) -> int:
    """Bring each host back to what ran there after apply N, with the current secrets.

    A host that took no part in N goes to its newest apply before N. The manifest is not changed, so
    the next `apply` goes forward again. The history is read from the hosts: whatever it has beyond
    the current manifest is listed and refused without --trust-history.
    """
    with open_run(settings, brings=False) as run:
        if run.site.limited_models:
            raise UsageError("rollback covers whole hosts, so --limit takes a host or a group")
        histories = entries_by_host(run)
        reached = {h: e for h, e in histories.items() if not isinstance(e, XgenError)}
        if to is None and yes:
            refuse_disagreement(reached)
        number, chosen = earlier(histories, to)
        options = ApplyOptions(
            yes=yes,
            what=f"rollback to #{number}",
            ask_first=True,
            trust_history=trust_history,
            refuses_unfit=False,
            accept_new_vectors=accept_new_vectors,
            accept_new_host_keys=settings.accept_new_host_keys,
        )
        try:
            refuse_strange(chosen, run.site, trusted=trust_history)
        except XgenError as error:
            Auditing(run, options.what, options.overrides).refused_on(reached, str(error))
            raise
        Screen(settings).lines([f"back to apply #{number}, with the current secrets"])
        return carry_out(as_then(run, chosen), settings, options)
