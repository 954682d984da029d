"""How `apply`, `rollback` and `destroy` go about it, with a question in between or without."""

import time

from xgen_deploy.apply.crew import Crew
from xgen_deploy.cli.job import Job
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.take import How, take
from xgen_deploy.errors import XgenError
from xgen_deploy.look import Seen
from xgen_deploy.transport.fleet import each

_NEXT = ("xgen_deploy.cli.applying", "rich.console")


def carry_out(work: Job, settings: Settings, how: How) -> int:
    """The exit code. Where nobody is asked, the hosts are locked first and looked at once."""
    began = time.monotonic()
    if how.yes:
        return _locked(work, settings, how, began)
    seen = work.observe(then=_NEXT)
    from xgen_deploy.cli.applying import Applying

    return Applying(work, settings, how).after_a_question(seen, began)


def _locked(work: Job, settings: Settings, how: How, began: float) -> int:
    reached = each(tuple(work.connections.values()), lambda c: c.connect())
    unreachable = {n: Seen(None, e) for n, e in reached.items() if isinstance(e, XgenError)}
    there = work.connections.keys() - unreachable.keys()
    with Crew(work.site, work.workplace) as crew:
        lost = take(work, crew, settings, how, there)
        looked = work.observe(among=frozenset(there), then=_NEXT)
        seen = {n: (looked | unreachable)[n] for n in work.connections}
        from xgen_deploy.cli.applying import Applying

        return Applying(work, settings, how).at_once(crew, seen, lost, began)
