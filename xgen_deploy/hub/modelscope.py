"""ModelScope, or a hub that speaks as it does. As its own client asks (modelscope_hub,
`list_repo_files` and `get_download_url`).

One list tells a revision's files, each with its SHA-256 and the commit that last changed it, and
the beginning of the latest commit.
"""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xgen_deploy.hub.asking import HubError, Revision, ask, is_commit
from xgen_deploy.state.artifact import ArtifactFile, Sha256
from xgen_deploy.state.fetch import MODELSCOPE
from xgen_deploy.transfer.remote.web_source import Access, Connect, Refused

# What a manifest means that states none, by its name on Hugging Face.
_DEFAULT = {"main": "master"}
# It lists no more than so many, and does not say so.
_CUT_AT = 3000
_SHOWN = 200


class _Lenient(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Entry(_Lenient):
    kind: Annotated[str, Field(alias="Type", max_length=20)] = "blob"
    path: Annotated[str, Field(alias="Path", max_length=1000)]
    size: Annotated[int, Field(alias="Size", ge=0)] = 0
    sha256: Annotated[Sha256 | None, Field(alias="Sha256")] = None
    changed_by: Annotated[str, Field(alias="Revision", max_length=100)] = ""


class _Commit(_Lenient):
    beginning: Annotated[str, Field(alias="ShortId", pattern="^[0-9a-f]{7,40}$")]


class _Listed(_Lenient):
    entries: Annotated[tuple[_Entry, ...], Field(alias="Files", max_length=_CUT_AT)]
    latest: Annotated[_Commit | None, Field(alias="LatestCommitter")] = None


class _Answer(_Lenient):
    good: Annotated[bool, Field(alias="Success")] = True
    listed: Annotated[_Listed | None, Field(alias="Data")] = None


@dataclass(frozen=True)
class ModelScope:
    """As Hub in hub/client.py."""

    endpoint: str = MODELSCOPE
    access: Access = field(default_factory=Access)
    connect: Connect | None = None

    def revision(self, repository: str, revision: str) -> Revision:
        """Raises HubError."""
        name = _DEFAULT.get(revision, revision)
        listed = self._listed(repository, name)
        if is_commit(revision):
            return Revision(revision)
        commits = {e.changed_by for e in listed.entries if is_commit(e.changed_by)}
        latest = listed.latest.beginning if listed.latest is not None else " "
        commit = [commit for commit in commits if commit.startswith(latest)]
        if len(commit) != 1:
            raise HubError(
                f"{self.endpoint} does not tell which commit {name} of {repository} is",
                "State the commit as `revision`.",
            )
        return Revision(commit[0])

    def files(self, repository: str, commit: str) -> tuple[ArtifactFile, ...]:
        """All of a commit's. Raises HubError."""
        entries = self._listed(repository, commit).entries
        return tuple(self._file(repository, commit, e) for e in entries if e.kind != "tree")

    def file_url(self, repository: str, commit: str, path: str) -> str:
        where = f"{self.endpoint}/api/v1/models/{quote(repository)}/repo"
        return f"{where}?Revision={commit}&FilePath={quote(path, safe='')}"

    def _listed(self, repository: str, revision: str) -> _Listed:
        """Raises HubError."""
        url = f"{self.endpoint}/api/v1/models/{quote(repository)}/repo/files"
        url += f"?Revision={quote(revision, safe='')}&Recursive=True"
        try:
            value, _ = ask(self.endpoint, url, self.access, self.connect)
            answer = _Answer.model_validate(value)
        except Refused as error:
            raise self._refused(error.status, repository, revision) from None
        except ValidationError:
            raise HubError(f"{self.endpoint} does not answer as ModelScope does") from None
        if not answer.good or answer.listed is None:
            raise self._refused(404, repository, revision)
        if len(answer.listed.entries) >= _CUT_AT:
            raise HubError(f"{repository} has more files than {self.endpoint} lists at once")
        return answer.listed

    def _file(self, repository: str, commit: str, entry: _Entry) -> ArtifactFile:
        """Raises HubError."""
        if entry.sha256 is None:
            raise HubError(f"{self.endpoint} tells no SHA-256 of {entry.path[:_SHOWN]}")
        url = self.file_url(repository, commit, entry.path)
        try:
            return ArtifactFile(path=entry.path, size=entry.size, sha256=entry.sha256, url=url)
        except ValidationError as error:
            reason = f"{self.endpoint} lists files of {repository} that cannot be: "
            raise HubError(reason + str(error).splitlines()[0][:_SHOWN]) from None

    def _refused(self, status: int, repository: str, revision: str) -> HubError:
        where = f"{self.endpoint}/models/{repository}"
        if status in (401, 403):
            return HubError(f"{where} is not open to all", "Take it from another source.")
        return HubError(
            f"{where} does not exist, or has no revision {revision}",
            "Correct `source` or `revision`.",
        )
