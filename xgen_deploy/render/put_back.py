"""What restores the previous version of an instance on its host alone: a script, and its unit."""

from collections.abc import Sequence

from xgen_deploy.render.templates import Templates
from xgen_deploy.state.layout import NEXT, Layout

# The content of the file `armed` until something is stopped or changed.
NOTHING_STOPPED = "files"
# The file beside it where the instance was stopped on purpose, and is to be so again.
STOPPED_BEFORE = "stopped-before"


def put_back_script(layout: Layout, templates: Templates) -> str:
    values = {
        "etc_dir": layout.etc_dir,
        "definitions": layout.definitions,
        "next": NEXT,
        "files": NOTHING_STOPPED,
        "stopped_before": STOPPED_BEFORE,
    }
    return templates.text("put-back.sh.j2", values)


def put_back_unit(
    name_on_host: str, script: Sequence[str], layout: Layout, templates: Templates
) -> str:
    """Runs `script` (path and arguments) at the boot after a power cut, unless an apply is
    running.
    """
    path, previous, *rest = script
    flock = ("flock", "--nonblock", "--conflict-exit-code", "0", layout.lock)
    values = {
        "project": layout.project,
        "service": layout.service(name_on_host),
        "previous": previous,
        "argv": ("/usr/bin/env", *flock, "sh", path, "--boot", previous, *rest),
    }
    return templates.text("put-back.service.j2", values)
