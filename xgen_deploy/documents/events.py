"""`apply`, `rollback`, `destroy` and `fetch` with --json: one event a line."""

from typing import Literal

from pydantic import Field, RootModel

from xgen_deploy.apply.events import Event
from xgen_deploy.documents.base import Document


class End(Document):
    """The last line, in every case. `number` is the apply's, None where none was begun; `done` and
    `failed` count operations, and hosts that were lost. They are None where the run was cut short.
    `not_verified` are models behind a gateway that were not asked, each with why.
    """

    kind: Literal["end"] = "end"
    number: int | None = None
    done: int | None = 0
    failed: int | None = 0
    not_verified: dict[str, str] = Field(default_factory=dict)
    exit_code: int = 0


class Line(RootModel[Event | End]):
    """One line."""
