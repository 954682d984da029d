"""A host whose files are a dictionary."""

from typing import Any, cast

from xgen_deploy.secrets.source import HostFiles
from xgen_deploy.transport.base import Session


class Files:
    """`content` by path; `asked` are the paths that were read."""

    def __init__(self, content: dict[str, bytes] | None = None) -> None:
        self.content = content or {}
        self.asked: list[str] = []

    def read_file(self, path: str, **_: Any) -> bytes | None:
        self.asked.append(path)
        return self.content.get(path)

    def on(self, host: str = "h") -> HostFiles:
        return HostFiles(host, cast(Session, self))
