"""The files of models on hosts, with what needs them; and their removal."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from xgen_deploy.apply.host_sessions import lock_owner
from xgen_deploy.apply.model_needs import Needs, needs_on
from xgen_deploy.errors import XgenError
from xgen_deploy.files.uses import Uses, needless, uses_of
from xgen_deploy.run.projects import host_projects
from xgen_deploy.run.run import Run
from xgen_deploy.state.stock import Stock, StoredFile
from xgen_deploy.transfer.stored import Kept, Removed, look, prune
from xgen_deploy.transport.base import Connection
from xgen_deploy.transport.fleet import each


@dataclass(frozen=True)
class HostModels:
    """`idle` are the files that were brought and that nothing needs, on any host of the folder."""

    stock: Stock
    needs: Needs
    uses: Uses
    idle: tuple[StoredFile, ...] = ()


Looked = Mapping[str, HostModels | XgenError]


def models_on(run: Run, hosts: Collection[str], *, history: bool, images: bool = False) -> Looked:
    """`history`: what the last good applies had is needed too. `images`: Docker's are looked at."""

    def look_at(connection: Connection) -> HostModels:
        return _look(run, connection, history=history, images=images)

    looked = each([c for n, c in run.connections.items() if n in hosts], look_at)
    reached = {name: found for name, found in looked.items() if isinstance(found, HostModels)}
    idle = needless(
        {name: found.stock for name, found in reached.items()},
        {name: found.uses for name, found in reached.items()},
    )
    return {
        name: replace(found, idle=idle[name]) if isinstance(found, HostModels) else found
        for name, found in looked.items()
    }


def _look(run: Run, connection: Connection, *, history: bool, images: bool = False) -> HostModels:
    needs = needs_on(run, connection, history=history)
    stock = look(connection, roots(run, connection.name), _paths(needs), images=images)
    return HostModels(stock, needs, uses_of(stock, needs.paths))


def roots(run: Run, host: str) -> tuple[str, ...]:
    """The folders that models are brought to."""
    stated = run.site.hosts[host]
    return tuple(dict.fromkeys((stated.model_dir.rstrip("/"), stated.hf_home.rstrip("/"))))


def remove(
    run: Run, connection: Connection, chosen: Collection[StoredFile], *, history: bool
) -> tuple[Removed | Kept, ...]:
    """Those of them that still nothing needs, now that no apply of any project is under way there.
    Raises XgenError, LockedError too."""
    host = run.site.hosts[connection.name]
    with connection.session() as session:
        for project in host_projects(session, host, run.control_node):
            session.lock(project.layout.lock, lock_owner("models prune"))
        now = _look(run, connection, history=history)
        if now.needs.unknown:
            raise XgenError(f"{connection.name}: {unknown_clause(now.needs)}")
        shared = {file.shared for file in chosen}
        idle = [
            file for file in now.stock.files if file.shared in shared and file.place not in now.uses
        ]
        return prune(connection, idle, (*_paths(now.needs), *now.stock.real.values()))


def unknown_clause(needs: Needs) -> str:
    return (
        "nothing is removed there, because it is not known what these projects need: "
        + "; ".join(needs.unknown)
    )


def _paths(needs: Needs) -> tuple[str, ...]:
    return tuple(dict.fromkeys(need.path for need in needs.paths))
