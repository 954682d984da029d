"""Hugging Face's hub, or one that speaks as it does: what a revision is, and which files it has.

As its own client asks (huggingface_hub, `HfApi.model_info` and `list_repo_tree`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote, urljoin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from xgen_deploy.hub.asking import HubError, Revision, ask, is_commit
from xgen_deploy.state.artifact import MOST_FILES, ArtifactFile, Sha1, Sha256
from xgen_deploy.state.fetch import HUGGING_FACE
from xgen_deploy.transfer.remote.web_source import Access, Connect, Refused

_PAGES = 100
_NEXT = re.compile(r'<([^>]{1,2000})>\s*;\s*rel="next"')
_SHOWN = 200


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Revision(_Lenient):
    sha: Sha1
    gated: bool | str = False
    private: bool = False
    cardData: dict[str, object] | None = None  # noqa: N815 - the hub's name


class _Large(_Lenient):
    oid: Sha256
    size: Annotated[int, Field(ge=0)]


class _Entry(_Lenient):
    type: str
    path: Annotated[str, Field(max_length=_SHOWN * 5)]
    size: Annotated[int, Field(ge=0)] = 0
    oid: str = ""
    lfs: _Large | None = None


_ENTRIES = TypeAdapter(list[_Entry])


@dataclass(frozen=True)
class Hub:
    """`access` has a token only where it is for this endpoint. `connect` is another way there than
    this machine's own."""

    endpoint: str = HUGGING_FACE
    access: Access = field(default_factory=Access)
    connect: Connect | None = None

    def revision(self, repository: str, revision: str) -> Revision:
        """Raises HubError."""
        path = f"/api/models/{quote(repository)}/revision/{quote(revision, safe='')}"
        try:
            value, _ = ask(self.endpoint, self.endpoint + path, self.access, self.connect)
            got = _Revision.model_validate(value)
        except Refused as error:
            raise _explained(error, repository, revision, self) from None
        except ValidationError:
            raise HubError(f"{self.endpoint} does not answer as a hub does") from None
        if is_commit(revision) and got.sha != revision:
            raise HubError(f"{self.endpoint} answers with the commit {got.sha}, not {revision}")
        stated = (got.cardData or {}).get("license")
        licence = stated[:_SHOWN] if isinstance(stated, str) else None
        return Revision(got.sha, bool(got.gated) or got.private, licence)

    def files(self, repository: str, commit: str) -> tuple[ArtifactFile, ...]:
        """All of a commit's. Raises HubError."""
        try:
            entries = [e for page in self._pages(repository, commit) for e in page]
            return tuple(
                _file(e, self.file_url(repository, commit, e.path))
                for e in entries
                if e.type == "file"
            )
        except Refused as error:
            raise _explained(error, repository, commit, self) from None
        except (ValidationError, ValueError) as error:
            reason = f"{self.endpoint} lists files of {repository} that cannot be: "
            raise HubError(reason + str(error).splitlines()[0][:_SHOWN]) from None

    def file_url(self, repository: str, commit: str, path: str) -> str:
        return f"{self.endpoint}/{quote(repository)}/resolve/{commit}/{quote(path)}"

    def _pages(self, repository: str, commit: str) -> Iterator[list[_Entry]]:
        url = f"{self.endpoint}/api/models/{quote(repository)}/tree/{commit}"
        url += "?recursive=true&expand=false"
        count = 0
        for _ in range(_PAGES):
            value, answer = ask(self.endpoint, url, self.access, self.connect)
            page = _ENTRIES.validate_python(value)
            yield page
            count += len(page)
            if count > MOST_FILES:
                raise HubError(f"{repository} has more than {MOST_FILES} files")
            following = _NEXT.search(answer.response.headers.get("Link", ""))
            if following is None:
                return
            url = urljoin(url, following[1])
            if not url.startswith(self.endpoint + "/"):
                raise HubError(f"{self.endpoint} continues its list of files at another place")


def _file(entry: _Entry, url: str) -> ArtifactFile:
    """Of a large file the hub has the SHA-256, of a small one git's name of a blob."""
    if entry.lfs is not None:
        return ArtifactFile(path=entry.path, size=entry.lfs.size, sha256=entry.lfs.oid, url=url)
    return ArtifactFile(path=entry.path, size=entry.size, sha1=entry.oid, url=url)


def _explained(error: Refused, repository: str, revision: str, hub: Hub) -> HubError:
    where = f"{hub.endpoint}/{repository}"
    if error.code == "RevisionNotFound":
        return HubError(f"{where} has no revision {revision}", "Correct `revision`.")
    if error.code == "GatedRepo" or error.status in (401, 403):
        if hub.access.token is not None:
            hint = "Accept its terms on the hub with the account of the token."
        else:
            hint = "State `fetch: {token: {env: HF_TOKEN}}`, of an account that accepted its terms."
        return HubError(f"{where} is not open to all, or does not exist", hint)
    if error.status == 404:
        return HubError(f"{where} does not exist", "Correct `source`.")
    return HubError(str(error))
