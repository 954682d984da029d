"""`apply`, `rollback` and `destroy` with --json: one event a line."""

from typing import Literal

from pydantic import RootModel

from xgen_deploy.apply.events import Event
from xgen_deploy.cli.documents.base import Document


class End(Document):
    """The last line, in every case. `number` is the apply's, None where none was begun; `done` and
    `failed` count operations, and hosts that were lost. They are None where the run was cut short.
    """

    kind: Literal["end"] = "end"
    number: int | None = None
    done: int | None = 0
    failed: int | None = 0
    exit_code: int = 0


class Line(RootModel[Event | End]):
    """One line."""
