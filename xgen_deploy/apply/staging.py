"""New files lie beside those in use until the old version is about to stop: a write that fails
changes nothing, and putting them in place takes no room on the disk.
"""

from xgen_deploy.apply.host_context import HostAtWork
from xgen_deploy.render.rendered import File, Rendered
from xgen_deploy.transport.base import HostError

_ASK = 60.0


def stage(work: HostAtWork, rendered: Rendered, slotted: str) -> None:
    """Writes all of an instance's files beside their places. `slotted` is its name on the host."""
    unstage(work, slotted)
    layout = work.layout
    work.session.make_dir(layout.etc_dir, mode=0o700)
    work.session.make_dir(layout.next_settings(slotted), mode=0o700)
    for file in rendered.files:
        name = file.path.removeprefix(f"{layout.settings(slotted)}/")
        _write(work, file, f"{layout.next_settings(slotted)}/{name}")
    _write(work, rendered.definition, layout.next_definition(slotted))


def commit(work: HostAtWork, slotted: str) -> None:
    """Puts staged files in place."""
    layout, session = work.layout, work.session
    before = session.read_file(layout.definition(slotted))
    new = session.read_file(layout.next_definition(slotted))
    session.remove(layout.settings(slotted), within=layout.etc_dir)
    _move(work, layout.next_settings(slotted), layout.settings(slotted))
    _move(work, layout.next_definition(slotted), layout.definition(slotted))
    if before is not None and before != new:  # a new one is read when it starts
        work.supervision.reload()


def unstage(work: HostAtWork, slotted: str) -> None:
    """What is not there is no error."""
    layout = work.layout
    work.session.remove(layout.next_settings(slotted), within=layout.etc_dir)
    work.session.remove(layout.next_definition(slotted), within=layout.definitions)


def _write(work: HostAtWork, file: File, path: str) -> None:
    content = file.content.encode()
    work.session.write_file(path, content, mode=file.mode, uid=file.uid, gid=file.uid)


def _move(work: HostAtWork, source: str, target: str) -> None:
    done = work.session.run(["mv", "-f", "-T", source, target], timeout=_ASK)
    if done.returncode != 0:
        raise HostError(work.name, f"{target} could not be put in place: {done.stderr.strip()}")
