"""Files of a host that are changed together, and put back together."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, field

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.render.rendered import File

_UNITS = (".service", ".socket", ".timer")


@dataclass
class WrittenFiles:
    """What was there before each of them; None where there was nothing."""

    context: HostContext
    before: dict[str, bytes | None] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    modes: dict[str, int] = field(default_factory=dict)

    def write(self, files: Iterable[File]) -> None:
        """Those that differ. Their folders have to be there."""
        for file in files:
            current = self.context.session.read_file(file.path)
            self.before.setdefault(file.path, current)
            self.modes[file.path] = file.mode
            if current != file.content.encode():
                content = file.content.encode()
                self.context.session.write_file(file.path, content, mode=file.mode, uid=file.uid)
                self.changed.add(file.path)

    def remove(self, paths: Iterable[str]) -> None:
        """Those of an earlier version that this one has not."""
        for path in paths:
            current = self.context.session.read_file(path)
            if current is not None:
                self.before.setdefault(path, current)
                self.context.session.remove(path, within=posixpath.dirname(path))
                self.changed.add(path)

    @property
    def units_changed(self) -> bool:
        return any(path.endswith(_UNITS) for path in self.changed)

    def put_back(self) -> None:
        """All of them as they were."""
        for path in self.changed:
            content = self.before[path]
            if content is None:
                self.context.session.remove(path, within=posixpath.dirname(path))
            else:
                mode = self.modes.get(path, 0o600)
                self.context.session.write_file(path, content, mode=mode)
        if self.units_changed:
            self.context.service_manager.reload()
