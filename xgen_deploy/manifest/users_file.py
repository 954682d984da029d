"""The users of `serve` in a file of its own, which nobody else may read."""

import stat
from pathlib import Path

from pydantic import Field, ValidationError

from xgen_deploy.frozen import Frozen
from xgen_deploy.manifest.diagnostics import Problems, failure
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.file_text import Files
from xgen_deploy.manifest.marked_yaml import parse
from xgen_deploy.manifest.node import MapNode, plain, without_nulls
from xgen_deploy.manifest.scalars import core
from xgen_deploy.state.serve import ServeUser, Users

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class _Whole(Frozen):
    users: Users = Field(default_factory=dict)


def read_users(path: str) -> dict[str, ServeUser]:
    """Of `users:` in it. Raises ManifestError."""
    problems = Problems()
    root = parse(path, Files().text(path, "file of users"), core, problems)
    if Path(path).stat().st_mode & _OTHERS:
        raise failure(path, f"others may read or change this file; run `chmod 600 {path}`")
    if not isinstance(root, MapNode):
        raise failure(path, "a file of users is a map with `users:`")
    stated = without_nulls(root)
    users: dict[str, ServeUser] = {}
    try:
        users = _Whole.model_validate(plain(stated)).users
    except ValidationError as error:
        report(error, stated, _Whole, problems)
    problems.raise_if_any()
    if not users:
        raise failure(path, "there is no user in this file")
    return users
