"""The observation of a host, on which all decisions about it are based."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from xgen_deploy import frozen
from xgen_deploy.errors import XgenError
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.fetch import Lacking
from xgen_deploy.state.host_python import INSTALL_PYTHON
from xgen_deploy.state.layout import Layout
from xgen_deploy.state.lock import LockStatus, lock_status
from xgen_deploy.state.quantize import Quantizing
from xgen_deploy.state.record import Record, read_record


@dataclass(frozen=True)
class Observation:
    """One observation of one host: its facts, its record (read and checked) and its paths.

    `record` is None where there is one that cannot be used; `record_error` says why, as a clause
    without the host's name. `lacking` are models that are not there and can be brought,
    `quantizing` those that can be made there: the facts tell of them as if they were.
    """

    host: str
    facts: HostFacts
    layout: Layout
    record: Record | None
    record_error: str = ""
    lacking: tuple[Lacking, ...] = ()
    quantizing: tuple[Quantizing, ...] = ()


# By host; the error says why a host could not be observed.
Observed = Mapping[str, Observation | XgenError]


def observation_of(host: str, facts: HostFacts, layout: Layout) -> Observation:
    """Never raises: a record that cannot be used is part of what was observed."""
    try:
        return Observation(host, facts, layout, _record(host, facts, layout.project))
    except XgenError as error:
        reason = str(error).removeprefix(f"{host}: ")
        return Observation(host, facts, layout, None, reason)


def reached(observed: Observed) -> dict[str, Observation]:
    """The hosts that could be observed."""
    return {n: o for n, o in observed.items() if isinstance(o, Observation)}


def facts_of(observed: Observed) -> dict[str, HostFacts]:
    return {n: o.facts for n, o in reached(observed).items()}


def records_of(observed: Observed) -> dict[str, Record]:
    """The usable records, by host; the plan of a host refuses an unusable one."""
    return {n: o.record for n, o in reached(observed).items() if o.record is not None}


def locks_of(observed: Observed) -> dict[str, LockStatus]:
    """The locks that are held or waited for, by host."""
    locks = {n: lock_status(f.lock) for n, f in facts_of(observed).items()}
    return {n: lock for n, lock in locks.items() if lock is not None}


def under_own_lock(observed: Observed) -> dict[str, Observation | XgenError]:
    """Of hosts that this command has locked: nobody else is at work there."""
    return {
        n: replace(o, facts=frozen.replace(o.facts, lock=None)) if isinstance(o, Observation) else o
        for n, o in observed.items()
    }


def _record(host: str, facts: HostFacts, project: str) -> Record:
    if facts.no_python is not None:
        raise XgenError(f"{host}: {facts.no_python}. {INSTALL_PYTHON}")
    if facts.record_error is not None:
        raise XgenError(
            f"{host}: the record of project {project} cannot be read: {facts.record_error}"
        )
    return read_record(facts.record, project, host)
