"""The hub that a manifest names, by the API that it speaks."""

from typing import Protocol

from xgen_deploy.hub.asking import Revision
from xgen_deploy.hub.client import Hub
from xgen_deploy.hub.modelscope import ModelScope
from xgen_deploy.state.artifact import ArtifactFile
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.transfer.remote.web_source import Access, Connect

_OPEN = Access()


class HubClient(Protocol):
    """`access` has a token only where it is for this endpoint."""

    @property
    def access(self) -> Access: ...

    def revision(self, repository: str, revision: str) -> Revision:
        """Raises HubError."""

    def files(self, repository: str, commit: str) -> tuple[ArtifactFile, ...]:
        """All of a commit's. Raises HubError."""

    def file_url(self, repository: str, commit: str, path: str) -> str: ...


def hub_of(
    settings: FetchSettings, access: Access = _OPEN, connect: Connect | None = None
) -> HubClient:
    kind = ModelScope if settings.protocol == "modelscope" else Hub
    return kind(settings.hub, access, connect)
