"""`xgen-deploy serve`: the management API and page."""

import sys
from typing import TYPE_CHECKING

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.options import Settings, host_options
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.serve import ServeDocument
from xgen_deploy.errors import UsageError
from xgen_deploy.state.serve import Changes
from xgen_deploy.visible import printable

if TYPE_CHECKING:
    from xgen_deploy.serve.context import ServeContext

_MODES = {"off": "read-only", "propose": "changes are proposed", "apply": "changes are applied"}
_MAKING = ("--hash-password", "--new-token")


class ServeCommand(ManifestCommand):
    """What makes a line for a manifest takes none."""

    def with_manifest(self, ctx: click.Context, args: list[str]) -> list[str]:
        return args if set(args) & set(_MAKING) else super().with_manifest(ctx, args)


def _hash_password(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from xgen_deploy.serve.security.passwords import hash_password

        password = click.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
        click.echo(f"password_hash: {hash_password(password)}")
        ctx.exit()


def _new_token(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from xgen_deploy.serve.security.passwords import new_token

        token, hashed = new_token()
        click.echo(f"token: {token}  (for the script; it is nowhere else)", err=True)
        click.echo(f"token_hash: {hashed}")
        ctx.exit()


@click.command("serve", cls=ServeCommand)
@click.option(
    "--new-token",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_new_token,
    help="Make a token for a script, print it and the line for the manifest, and end.",
)
@click.option(
    "--hash-password",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_hash_password,
    help="Ask for a password, print the line for the manifest, and end.",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Listen beyond loopback without TLS; nothing can be changed from there then.",
)
@click.option(
    "--apply-ssh-config",
    metavar="FILE",
    help="For what applies a change, in place of --ssh-config: with the key that may write.",
)
@click.option(
    "--apply-env",
    metavar="FILE",
    help="NAME=value lines for what applies a change, such as secrets; mode 0600.",
)
@click.option("--users", metavar="FILE", help="Users in a file of mode 0600, not the manifest's.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; 8765 unless stated.")
@click.option("--listen", metavar="ADDRESS", help="Address; 127.0.0.1 unless stated.")
@click.option(
    "--changes",
    type=click.Choice(["off", "propose", "apply"]),
    help="What may be changed from there: nothing (off), a branch or a patch, or the hosts.",
)
@host_options
def command(
    settings: Settings,
    changes: Changes | None,
    listen: str | None,
    port: int | None,
    users: str | None,
    insecure: bool,
    apply_env: str | None,
    apply_ssh_config: str | None,
) -> None:
    """Answer the management API, and show the fleet in a browser, until Ctrl-C.

    Read-only unless the manifest's `serve.changes` or --changes says otherwise. It prints a link
    that logs in once, unless there are users.
    """
    try:
        from xgen_deploy.serve.app import create_app
        from xgen_deploy.serve.server import serve_forever
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serve needs {error.name}, which is not installed: `pip install 'xgen-deploy[serve]'`"
        ) from None
    from xgen_deploy.cli.serving import Applying, serve_context
    from xgen_deploy.serve.settings import Asked

    asked = Asked(changes, listen, port, insecure)
    applying = Applying(apply_env, apply_ssh_config)
    context = serve_context(settings, asked, users, _say, applying)

    def listens() -> None:
        link = context.new_login_link()
        _say(_first_line(context, link))
        Screen(settings).value(_document(context, link), more=True)

    serve_forever(create_app(context), context.settings, listens)


def _first_line(context: "ServeContext", link: str | None) -> str:
    changes = _MODES[context.settings.changes]
    once = "; the link works once, within 10 minutes" if link else ""
    return f"{context.site().project}: {link or context.settings.address}  ({changes}{once})"


def _document(context: "ServeContext", link: str | None) -> ServeDocument:
    return ServeDocument(
        project=context.site().project,
        address=context.settings.address,
        login_link=link,
        changes=context.settings.changes,
    )


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)
