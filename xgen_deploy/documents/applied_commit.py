"""Which commit of the manifest was applied last, and whether the file is still like that."""

from pathlib import Path

from xgen_deploy.audit.git import differs_from_commit, git_commit
from xgen_deploy.frozen import Frozen
from xgen_deploy.state.observation import Observed, records_of


class AppliedCommit(Frozen):
    """`commit` has a `+` where the file had changes that were not committed. `same`: the manifest
    is as in that commit; None where this checkout has no such commit."""

    commit: str
    same: bool | None


def applied_commit(manifest: str, observed: Observed) -> AppliedCommit | None:
    """None outside of Git, and where the last thing done was no apply from Git."""
    applies = [r.last_apply for r in records_of(observed).values() if r.last_apply is not None]
    newest = max(applies, key=lambda apply: apply.number, default=None)
    if newest is None or newest.git is None or newest.is_maintenance:
        return None
    if git_commit(manifest) is None:
        return None
    differs = differs_from_commit(manifest, newest.git.rstrip("+"))
    same = None if differs is None else not differs and not newest.git.endswith("+")
    return AppliedCommit(commit=newest.git, same=same)


def commit_line(manifest: str, applied: AppliedCommit | None) -> str:
    """A sentence where the file is not the commit that was applied last; "" where it is."""
    if applied is None or applied.same:
        return ""
    name, commit = Path(manifest).name, applied.commit.rstrip("+")
    if applied.same is None:
        return f"{name} was last applied as of commit {commit}, which is not in this checkout"
    if applied.commit.endswith("+"):
        return f"{name} was last applied with changes to {commit} that were not committed"
    return f"{name} is not as in {commit}, the commit that was last applied"
