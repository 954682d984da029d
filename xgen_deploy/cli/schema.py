"""`xgen-deploy schema`: the manifest's JSON Schema, for editors."""

import json

import click


@click.command("schema")
def command() -> int:
    """Print the JSON Schema of manifests.

    In VS Code: `xgen-deploy schema > .vscode/xgen.json`, then start the manifest with the line
    `# yaml-language-server: $schema=../.vscode/xgen.json`.
    """
    from xgen_deploy.backends.registry import engine_words
    from xgen_deploy.manifest.json_schema import json_schema

    click.echo(json.dumps(json_schema(engine_words()), indent=2, ensure_ascii=False))
    return 0
