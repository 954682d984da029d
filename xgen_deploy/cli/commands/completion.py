"""`xgen-deploy completion`: what a shell runs to complete commands, files and names."""

import click
from click.shell_completion import get_completion_class

from xgen_deploy.cli.main import COMPLETING


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> int:
    """Print the completion script of a shell: for commands, options, files, and the hosts,
    instances and models of the manifest on the command line.

    \b
    bash, in ~/.bashrc:  eval "$(xgen-deploy completion bash)"
    zsh, in ~/.zshrc:    eval "$(xgen-deploy completion zsh)"
    fish:                xgen-deploy completion fish > ~/.config/fish/completions/xgen-deploy.fish
    """
    root = click.get_current_context().find_root()
    script = get_completion_class(shell)
    if script is None:
        raise click.ClickException(f"this version of click completes nothing in {shell}")
    click.echo(script(root.command, {}, "xgen-deploy", COMPLETING).source())
    return 0
