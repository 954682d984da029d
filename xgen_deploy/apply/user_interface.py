"""What an apply needs of whoever watches it: a terminal, a log or a program that called it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from xgen_deploy.apply.events import Event
from xgen_deploy.apply.host import ApplyIdentity
from xgen_deploy.apply.outcomes import HostResult
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site


class Reporter(Protocol):
    """Hears what happens while hosts are changed; called from every host's thread."""

    @property
    def events(self) -> Sequence[Event]:
        """All that it heard."""

    def __call__(self, event: Event) -> None: ...

    def problem(self, host: str, text: str) -> None:
        """What befell a whole host."""

    def warning(self, text: str) -> None:
        """Something that does not change how the apply ends."""

    def summary(
        self,
        identity: ApplyIdentity,
        results: list[HostResult],
        lost: int,
        unreached: Sequence[str] = (),
    ) -> None:
        """How it ended; `lost` hosts failed as a whole, `unreached` ones were never begun with."""


class UserInterface(Protocol):
    """Is shown the plan and asked before anything is changed."""

    def show(self, plan: Plan, seconds: float, *, changed: bool = False) -> None:
        """The plan, which took so long to make. `changed`: the hosts are no longer as they were
        when the plan was shown before."""

    def ask(self, plan: Plan) -> None:
        """Returns where the plan is to be carried out. Raises to leave everything as it is."""

    def served(self, site: Site, records: Mapping[str, Record]) -> None:
        """What every host that was seen remembers after an apply that went well."""

    def reporting(self) -> AbstractContextManager[Reporter]:
        """For as long as hosts are being changed, or waited for."""
