"""From what was asked for to an edit of the manifest, and the site that it leads to. Nothing is
written, and no host is asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from xgen_deploy.documents.changes import What
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.edit.checkout import checkout_of, why_not_editable
from xgen_deploy.manifest.edit.edits import Edit, RemovePlacement, ToPaste
from xgen_deploy.manifest.edit.file import ManifestFile, read_file
from xgen_deploy.manifest.edit.of_site import Manifest, edited_site
from xgen_deploy.manifest.load import Reading, checked_site
from xgen_deploy.manifest.node import plain
from xgen_deploy.plan.maintenance import Request as Maintenance
from xgen_deploy.serve.changes.change import Asked
from xgen_deploy.serve.changes.edits import load_edits, placement_name
from xgen_deploy.serve.changes.refused import Refused
from xgen_deploy.serve.changes.requests import (
    ActionRequest,
    LoadRequest,
    RollbackRequest,
    UnloadRequest,
)
from xgen_deploy.serve.security.scope import hosts_of, seen_by
from xgen_deploy.serve.security.users import User
from xgen_deploy.state.manifest_edit import ManifestEdit
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class Prepared:
    """`site` is the manifest's afterwards."""

    asked: Asked
    site: Site


def prepared_edit(
    manifest: Manifest, site: Site, user: User, asked: LoadRequest | UnloadRequest
) -> Prepared:
    """`site` is the manifest's as it is. Raises Refused, and ManifestError where that is wrong."""
    _refuse_strange_host(user, site, asked.host)
    file = read_file(manifest.path)
    reading = manifest.reading(file.text)
    if isinstance(asked, LoadRequest):
        what: What = "load"
        name, edits = placement_name(asked), _load(user, reading, asked)
    else:
        names = {d.name for d in seen_by(user, site).declared if d.host == asked.host}
        what, name, edits = "unload", asked.name, (_unload(user, reading, asked, names),)
    text = _edited(manifest, file, edits)
    after = file.with_text(text).decode()
    message = f"{what} {name} on {asked.host}"
    edit = ManifestEdit(
        before=file.content.decode(), after=after, author=user.name, message=message
    )
    return Prepared(Asked(what, user.name, asked.host, name, edit), _site(manifest, text))


def prepared_action(site: Site, user: User, asked: ActionRequest) -> Prepared:
    """Raises Refused."""
    _refuse_strange_host(user, site, asked.host)
    if asked.name not in {d.name for d in seen_by(user, site).declared if d.host == asked.host}:
        raise Refused(404, f"{asked.host} has no instance `{asked.name}`")
    request = Maintenance(asked.action, {asked.host: (asked.name,)})
    return Prepared(Asked(asked.action, user.name, asked.host, asked.name, maintain=request), site)


def prepared_rollback(site: Site, user: User, asked: RollbackRequest) -> Prepared:
    """Raises Refused."""
    if user.hosts is not None or user.models is not None:
        raise Refused(403, f"a rollback is of all hosts, and {user.name} is limited to some")
    return Prepared(Asked("rollback", user.name, to=asked.to), site)


def model_names(manifest: Manifest) -> tuple[str, ...]:
    """All that may be placed, in the manifest's order."""
    return tuple(manifest.reading(read_file(manifest.path).text).views.whole.names("models"))


def refuse_uneditable(path: str) -> None:
    """Raises Refused where the manifest is in a Git checkout that has to be looked after first."""
    checkout = checkout_of(path)
    reason = why_not_editable(checkout) if checkout is not None else ""
    if reason:
        raise Refused(409, reason)


def _load(user: User, reading: Reading, asked: LoadRequest) -> tuple[Edit, ...]:
    known = reading.views.whole.names("models")
    if asked.model not in known or (user.models is not None and asked.model not in user.models):
        raise Refused(
            422,
            f"there is no model `{asked.model}`",
            "A new model is written into the manifest: `models:` names each with its source.",
        )
    placed = _placed(reading, asked.host, placement_name(asked))
    if placed is not None and placed["model"] != asked.model:
        raise Refused(
            422,
            f"`{placement_name(asked)}` on {asked.host} is an instance of {placed['model']}",
            "Give the new one a `name` of its own.",
        )
    return load_edits(asked, placed)


def _unload(user: User, reading: Reading, asked: UnloadRequest, names: Collection[str]) -> Edit:
    """`names` are those of the instances there."""
    placed = _placed(reading, asked.host, asked.name)
    first = asked.name.rpartition("-")[0]
    if placed is None and asked.name in names and _placed(reading, asked.host, first):
        raise Refused(
            422,
            f"`{asked.name}` is one of the replicas of `{first}`",
            f"Load `{first}` with fewer `replicas`, or unload it as a whole.",
        )
    if placed is None or (user.models is not None and placed["model"] not in user.models):
        raise Refused(404, f"{asked.host} has no instance `{asked.name}`")
    return RemovePlacement(asked.host, asked.name)


def _placed(reading: Reading, host: str, name: str) -> Mapping[str, object] | None:
    """Merged over its model and the defaults."""
    for merged in reading.placements:
        if (merged.host, merged.placement.name or merged.placement.model) == (host, name):
            data = plain(merged.node)
            return data if isinstance(data, dict) else None
    return None


def _edited(manifest: Manifest, file: ManifestFile, edits: Sequence[Edit]) -> str:
    try:
        result = edited_site(manifest, file.text, edits)
    except ManifestError as error:
        raise _wrong(error) from None
    if isinstance(result, ToPaste):
        raise Refused(422, f"the manifest cannot be edited here: {result.reason}", result.snippet)
    return result.text


def _site(manifest: Manifest, text: str) -> Site:
    try:
        return checked_site(manifest.reading(text))
    except ManifestError as error:
        raise _wrong(error) from None


def _wrong(error: ManifestError) -> Refused:
    return Refused(422, "; ".join(problem.message for problem in error.problems))


def _refuse_strange_host(user: User, site: Site, host: str) -> None:
    if host not in hosts_of(user, site):
        raise Refused(404, f"there is no host `{host}`")
