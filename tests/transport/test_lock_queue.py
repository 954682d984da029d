"""Who waits for a host's lock gets it in the order of coming; the dead do not stand in line."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.transport.eventually import eventually
from xgen_deploy.errors import LockedError
from xgen_deploy.transport.base import Connection, Session


def _waiting(path: Path) -> list[str]:
    """By whom, in their order."""
    tickets = sorted(Path(f"{path}.queue").glob("[0-9]*"))
    return [json.loads(t.read_text())["by"] for t in tickets]


def _line_up(
    pool: ThreadPoolExecutor, session: Session, path: Path, name: str, took: list[str]
) -> Future[None]:
    """Waits in a thread; back as soon as it stands in line."""
    before = len(_waiting(path))

    def wait() -> None:
        session.lock(str(path), {"by": name}, wait=60)
        took.append(name)

    waiting = pool.submit(wait)
    assert eventually(lambda: len(_waiting(path)) > before)
    return waiting


def test_waiters_get_the_lock_in_the_order_of_coming(
    here: Connection, session: Session, tmp_path: Path
) -> None:
    path, names, took = tmp_path / "lock", [f"w{n}" for n in range(6)], list[str]()
    session.lock(str(path), {"by": "ada"})
    with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        sessions = {n: stack.enter_context(here.session()) for n in names}
        waiting = {n: _line_up(pool, sessions[n], path, n, took) for n in names}
        assert _waiting(path) == names
        session.close()
        for name in names:
            waiting[name].result(120)
            sessions[name].close()
    assert took == names
    assert _waiting(path) == []


def test_a_newcomer_does_not_go_past_those_who_wait(
    here: Connection, session: Session, tmp_path: Path
) -> None:
    """Not even in the moment in which the lock is free."""
    path, passed = tmp_path / "lock", threading.Event()
    session.lock(str(path), {"by": "ada"})
    with here.session() as patient, here.session() as hasty, ThreadPoolExecutor(2) as pool:
        waiting = _line_up(pool, patient, path, "kim", [])

        def hurry() -> None:
            while not passed.is_set():
                with pytest.raises(LockedError):
                    hasty.lock(str(path), {"by": "bob"})

        hurrying = pool.submit(hurry)
        session.close()
        waiting.result(120)
        passed.set()
        hurrying.result(120)


def test_a_dead_waiter_drops_out_by_itself(
    here: Connection, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    session.lock(str(path), {"by": "ada"})
    with here.session() as dying, here.session() as next_one, ThreadPoolExecutor(2) as pool:
        lost = _line_up(pool, dying, path, "kim", [])
        waiting = _line_up(pool, next_one, path, "bob", [])
        dying.close()
        assert lost.exception(30) is not None
        session.close()
        waiting.result(120)
    with here.session() as after:
        after.lock(str(path), {"by": "eve"}, wait=20)
    assert _waiting(path) == []


def test_who_waited_in_vain_leaves_the_line(
    here: Connection, session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "lock"
    session.lock(str(path), {"by": "ada"})
    with here.session() as other, pytest.raises(LockedError, match="by ada"):
        other.lock(str(path), {"by": "kim"}, wait=0.5)
    assert _waiting(path) == []


def test_the_line_outlives_the_folder_that_an_owner_took_away(
    here: Connection, session: Session, tmp_path: Path
) -> None:
    """`destroy` removes the project's folder, the lock and the tickets in it."""
    folder, took = tmp_path / "project", list[str]()
    path = folder / "lock"
    session.lock(str(path), {"by": "ada"})
    with here.session() as first, here.session() as second, ThreadPoolExecutor(2) as pool:
        waiting = [
            _line_up(pool, first, path, "kim", took),
            _line_up(pool, second, path, "bob", took),
        ]
        session.remove(str(folder / "lock.queue"), within=str(folder))
        session.remove(str(folder), within=str(tmp_path))
        assert eventually(lambda: took == ["kim"], 120)
        assert eventually(lambda: _waiting(path) == ["bob"])
        session.close()
        first.close()
        for one in waiting:
            one.result(120)
    assert took == ["kim", "bob"]
