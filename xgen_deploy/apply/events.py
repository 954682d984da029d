"""The events of an apply, one for each step: for a screen, a log or a program."""

from collections.abc import Callable
from typing import Literal

from xgen_deploy.frozen import Frozen

EventKind = Literal[
    "plan", "start", "progress", "gate", "switched", "rolled_back", "failed", "done"
]


class Event(Frozen):
    """`text` is a clause for people; `log` are the engine's last lines where it failed. `waited`:
    the step that was told last goes on, for so many seconds now.
    """

    kind: EventKind
    host: str
    instance: str | None = None
    text: str = ""
    seconds: float | None = None
    waited: float | None = None
    log: tuple[str, ...] = ()


Listener = Callable[[Event], None]
