"""`xgen-deploy show`: shows a saved plan."""

from pathlib import Path

import click

from xgen_deploy.cli.options import current_output
from xgen_deploy.cli.screens.screen import print_line
from xgen_deploy.documents.show import ShowDocument
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.saved import read_saved


@click.command("show")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@click.argument("file")
def command(file: str, as_json: bool) -> int:
    """Show a plan that `plan -o FILE` saved. No host is contacted."""
    output = current_output()
    output.begin(asked_for=as_json)
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file} is no saved plan: it is not text") from None
    plan = read_saved(text, file)
    if as_json:
        output.document(ShowDocument(**plan.model_dump(mode="json", exclude_none=True)))
        return 0
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for line in plan.text:
        print_line(console, line)
    return 0
