"""Removes a container of this project, by its ID: another one may have its name."""

import json
import re

from xgen_deploy.apply.host_context import HostContext

_ASK = 60.0
_ID = re.compile(r"[0-9a-f]{64}")
_SHOWN = '{{.ID}} {{json (.Label "xgen.container")}}'


def remove_container(context: HostContext, instance: str, name: str) -> None:
    """Where there is Docker and such a container with this instance's labels (see ownership.py)."""
    if context.layout.process_dir is not None:
        return
    cli = context.session.run(["sh", "-c", "command -v docker"], timeout=_ASK).stdout.strip()
    if not cli:
        return
    filters = (
        f"name=^/?{re.escape(name)}$",
        f"label=xgen.project={context.layout.project}",
        f"label=xgen.instance={instance}",
    )
    argv = [cli, "ps", "--all", "--no-trunc", "--format", _SHOWN]
    argv += [word for label_filter in filters for word in ("--filter", label_filter)]
    listed = context.session.run(argv, timeout=_ASK).stdout
    ids = [i for i in (_id(line, name) for line in listed.splitlines()) if i]
    if ids:
        context.session.run([cli, "rm", "--force", *ids], timeout=_ASK)


def _id(line: str, name: str) -> str | None:
    """Of a container whose label names itself; 0.1.0 gave none."""
    container_id, _, label = line.partition(" ")
    named = label in (json.dumps(name), json.dumps(""))
    return container_id if named and _ID.fullmatch(container_id) else None
