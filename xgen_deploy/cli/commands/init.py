"""`xgen-deploy init`: writes a first manifest and inventory."""

from pathlib import Path

import click

from xgen_deploy.errors import UsageError
from xgen_deploy.state.field_types import project as project_name

_INVENTORY = """\
# An Ansible inventory: `all / children / hosts / vars`. An existing one works as it is.
all:
  hosts:
    {host}:
      # ansible_host: 192.0.2.10      # else SSH's own name, with ~/.ssh/config
      # ansible_user: deploy          # needs passwordless sudo, or --ask-become-pass
      # xgen_model_dir: /srv/models
"""
_MANIFEST = """\
# What runs where. `xgen-deploy plan {manifest}` shows what it would change.
project: {project}
inventory: ../inventories/{project}.yaml
runtime: docker                        # or systemd (a binary), process (this machine, no root)
images:
  llama: ghcr.io/ggml-org/llama.cpp:server   # the engine is its ENTRYPOINT

models:
  my-model:                            # the name that clients ask for
    source: /srv/models/my-model.gguf  # on the host
    n_ctx: 8192                        # the context of one request

hosts:
  {host}:
    - model: my-model
      # gpus: [0]                      # as `xgen-deploy gpus` prints them; [] is the CPU
      # n_gpu_layers: 33               # left out: every layer
"""


@click.command("init")
@click.option("--project", default="first", show_default=True, help="[a-z][a-z0-9_]*")
@click.option("--host", default="gpu-a", show_default=True, help="The first host's name.")
@click.argument("folder", default=".", metavar="[FOLDER]")
def command(folder: str, project: str, host: str) -> int:
    """Write manifests/PROJECT.yaml and inventories/PROJECT.yaml in FOLDER (default: here).

    Existing files are never overwritten.
    """
    try:
        project_name(project)
    except ValueError as error:
        raise UsageError(f"--project {project}: {error}") from None
    base = Path(folder)
    manifest = base / "manifests" / f"{project}.yaml"
    inventory = base / "inventories" / f"{project}.yaml"
    texts = {
        manifest: _MANIFEST.format(project=project, host=host, manifest=manifest),
        inventory: _INVENTORY.format(host=host),
    }
    existing = [str(p) for p in texts if p.exists()]
    if existing:
        raise UsageError(f"not overwriting {' and '.join(existing)}; nothing was written")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            click.echo(f"wrote {path}")
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}") from None
    click.echo(
        f"\nNext: edit both, then\n  xgen-deploy validate {manifest}\n  xgen-deploy plan {manifest}"
    )
    return 0
