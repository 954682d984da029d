"""New files lie beside those in use until the old version is about to stop: a write that fails
changes nothing, and putting them in place takes no room on the disk.
"""

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.transport.base import HostError

_ASK = 60.0


def stage(context: HostContext, rendered: Rendered, name_on_host: str) -> None:
    """Writes all of an instance's files beside their places. `name_on_host`: see layout.py."""
    unstage(context, name_on_host)
    layout = context.layout
    context.session.make_dir(layout.etc_dir, mode=0o700)
    context.session.make_dir(layout.next_settings(name_on_host), mode=0o700)
    for file in rendered.files:
        name = file.path.removeprefix(f"{layout.settings(name_on_host)}/")
        _write(context, file, f"{layout.next_settings(name_on_host)}/{name}")
    _write(context, rendered.definition, layout.next_definition(name_on_host))


def commit(context: HostContext, name_on_host: str) -> None:
    """Puts staged files in place."""
    layout, session = context.layout, context.session
    before = session.read_file(layout.definition(name_on_host))
    new = session.read_file(layout.next_definition(name_on_host))
    session.remove(layout.settings(name_on_host), within=layout.etc_dir)
    _move(context, layout.next_settings(name_on_host), layout.settings(name_on_host))
    _move(context, layout.next_definition(name_on_host), layout.definition(name_on_host))
    if before is not None and before != new:  # a new one is read when it starts
        context.service_manager.reload()


def unstage(context: HostContext, name_on_host: str) -> None:
    """Files that do not exist are not an error."""
    layout = context.layout
    context.session.remove(layout.next_settings(name_on_host), within=layout.etc_dir)
    context.session.remove(layout.next_definition(name_on_host), within=layout.definitions)


def _write(context: HostContext, file: File, path: str) -> None:
    content = file.content.encode()
    context.session.write_file(path, content, mode=file.mode, uid=file.uid, gid=file.uid)


def _move(context: HostContext, source: str, target: str) -> None:
    done = context.session.run(["mv", "-f", "-T", source, target], timeout=_ASK)
    if done.returncode != 0:
        raise HostError(context.name, f"{target} could not be put in place: {done.stderr.strip()}")
