"""`xgen-deploy schema`: JSON Schema of manifests, for editors, and of what commands print."""

import click

from xgen_deploy.cli.json_output import print_json
from xgen_deploy.errors import UsageError


@click.command("schema")
@click.option("--output", metavar="COMMAND", help="Of what COMMAND prints with --json, instead.")
def command(output: str | None) -> int:
    """Print the JSON Schema of manifests.

    In VS Code: `xgen-deploy schema > .vscode/xgen.json`, then start the manifest with the line
    `# yaml-language-server: $schema=../.vscode/xgen.json`.
    """
    print_json(_of_manifests() if output is None else _of_output(output))
    return 0


def _of_manifests() -> object:
    from xgen_deploy.backends.registry import engine_words
    from xgen_deploy.manifest.json_schema import json_schema

    return json_schema(engine_words())


def _of_output(command: str) -> object:
    from xgen_deploy.documents.registry import COMMANDS, output_schema

    if command not in COMMANDS:
        raise UsageError(
            f"`{command}` prints no JSON; these do: {', '.join(f'`{c}`' for c in COMMANDS)}"
        )
    return output_schema(command)
