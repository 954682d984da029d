"""Restarts engines that stand still: run on a host by a systemd timer, once a minute.

Standard library only, Python 3.8+. `python3 -I FILE CONFIG STATE`. An engine that works on a
request moves its own counters (every batch that is decoded, every step), however long the answer
takes. One that moves nothing for long while requests are under way, one whose real requests time
out while nothing is, and one whose port is dead after it had answered, is restarted; all others
are left alone. After each restart the pause before the next grows; after a stated number it is
stopped, and tried again later. Times are seconds of the host's monotonic clock.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Iterator, NamedTuple, Sequence

FORMAT = 2
BOOT_ID = "/proc/sys/kernel/random/boot_id"
AT_ONCE = 64

# A metric's value, after its name and labels.
VALUE = r"(?:\{.{0,2000}\})?[ \t]{1,40}([0-9.eE+]{1,40})[ \t]{0,40}$"

# How a request ended: with an answer, be it an error; with none in time; on a port that is closed
# or closes at once (a container's port that nothing listens on inside); not made at all.
ANSWERED, SILENT, CLOSED, UNASKED = "answered", "silent", "closed", "unasked"


class Limits(NamedTuple):
    """`failures` looks in a row that find an idle engine silent, or its port dead, make a
    restart; after `restarts` of them without a good answer in between it is stopped, and started
    `again` seconds later. `pause` is how long an engine is left alone after its start, doubled
    after every restart; `request` how long a real request may take, `page` how long /metrics may.
    After a `gap` without a look nothing is known of what moved meanwhile.
    """

    failures: int = 3
    restarts: int = 5
    pause: float = 120.0
    request: float = 30.0
    page: float = 10.0
    gap: float = 180.0
    again: float = 3600.0


class Seen(NamedTuple):
    """One observation. `counters` and `active_requests` are None where the page has none.
    `moved`: a counter changed since the last one. `smoke_request` is how a real request ended,
    None where none was sent.
    """

    page: str
    counters: float | None
    active_requests: float | None
    moved: bool
    smoke_request: str | None


def main(config_path: str, state_path: str) -> None:
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    with lock_free(config["lock"]) as free:
        if not free:
            return  # an apply is at work: what it stops and starts is its own affair
    boot = boot_id()
    after = watch(config, remembered(state_path, boot), time.monotonic())
    draft = state_path + ".new"
    with open(draft, "w", encoding="utf-8") as file:
        json.dump({"format": FORMAT, "boot": boot, "instances": after}, file)
    os.replace(draft, state_path)


def remembered(state_path: str, boot: str) -> dict[str, Any]:
    """The state of a minute ago; of another boot nothing holds. Of an older format's only what
    it had given up: its times are another clock's.
    """
    try:
        with open(state_path, encoding="utf-8") as file:
            state = json.load(file)
        if state["format"] == FORMAT:
            return dict(state["instances"]) if state["boot"] == boot else {}
        given_up = {n: s.get("gave_up") for n, s in state["instances"].items()}
        return {n: {"gave_up": text} for n, text in given_up.items() if text}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def watch(config: dict[str, Any], before: dict[str, Any], now: float) -> dict[str, Any]:
    """All instances' new states. They are looked at side by side, so that several that do not
    answer cost no more time than one.
    """
    limits = Limits(**config.get("limits", {}))
    items = list(config["instances"].items())
    if not items:
        return {}
    with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
        looked = pool.map(lambda item: look(item[1], before.get(item[0], {}), limits, now), items)
        states = dict(zip((name for name, _ in items), looked))
    return {
        name: state if reason is None else act(instance, state, reason, config["lock"], limits, now)
        for (name, instance), (state, reason) in zip(items, states.values())
    }


def look(
    instance: dict[str, Any], was: dict[str, Any], limits: Limits, now: float
) -> tuple[dict[str, Any], str | None]:
    """The instance's new state, and why something must be done about it, if so. `was` is the
    state of a minute ago.
    """
    run, age = started(instance["unit"])
    if was.get("gave_up"):
        state = dict(was, again_at=was.get("again_at", now + limits.again))
        if run is None:
            return dict(state, run=None), state["gave_up"] if now >= state["again_at"] else None
        if run == was.get("run") and now < state["again_at"]:
            return state, None  # it is being stopped
        was = {}  # somebody started it by hand
    if run is None or age < limits.pause:
        return of_earlier_starts(was), None
    state = of_this_start(was, run, limits, now)
    return judge(instance, state, observe(instance, state, limits), age, limits, now)


def of_earlier_starts(was: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in was.items() if k in ("restarts", "not_before", "reason")}


def of_this_start(was: dict[str, Any], run: str, limits: Limits, now: float) -> dict[str, Any]:
    if was.get("run") != run:
        return dict(of_earlier_starts(was), run=run, moved_at=now, looked_at=now)
    if now - was["looked_at"] > limits.gap:
        return dict(was, moved_at=now, looked_at=now, failures=0, closed=0)
    return dict(was, looked_at=now)


def observe(instance: dict[str, Any], state: dict[str, Any], limits: Limits) -> Seen:
    """A real request is sent to an engine that says it has nothing to do and moved nothing: never
    behind others, and one at a time.
    """
    how, page = ask(instance, "GET", "/metrics", None, limits.page)
    counters, busy = total(instance["counters"], page), total(instance["in_flight"], page)
    before = state.get("counters")
    moved = None not in (counters, before) and counters != before
    if counters is None or busy or moved:
        return Seen(how, counters, busy, moved, None)
    smoke_request, _ = ask(
        instance, "POST", instance["path"], json.dumps(instance["body"]), limits.request
    )
    return Seen(how, counters, busy, moved, smoke_request)


def judge(
    instance: dict[str, Any],
    state: dict[str, Any],
    seen: Seen,
    age: float,
    limits: Limits,
    now: float,
) -> tuple[dict[str, Any], str | None]:
    """Pure. `instance["still"]` is how long nothing may move while requests are under way,
    `instance["loading"]` how long a start may take until its first answer.
    """
    if seen.moved or seen.smoke_request == ANSWERED:
        # The request itself moved the counters: where they stand now is the next look's to say.
        counters = None if seen.smoke_request else seen.counters
        good = {"run": state["run"], "moved_at": now, "looked_at": now, "answered": True}
        return dict(good, counters=counters), None
    state = dict(state)
    if seen.page in (ANSWERED, UNASKED) and None in (seen.counters, state.get("counters")):
        state["moved_at"] = now  # it answers, and there is nothing yet that could stand still
    if seen.counters is not None:
        state["counters"] = seen.counters
    if seen.page == ANSWERED and not instance["counters"]:
        state["answered"] = True
    asked = seen.smoke_request not in (None, UNASKED)
    state["failures"] = state.get("failures", 0) + 1 if asked else 0
    state["closed"] = state.get("closed", 0) + 1 if seen.page == CLOSED else 0
    if not state.get("answered") and age <= instance["loading"]:
        return state, None
    if now < state.get("not_before", 0):
        return state, None
    return state, stands_still(instance, state, seen, limits, now)


def stands_still(
    instance: dict[str, Any], state: dict[str, Any], seen: Seen, limits: Limits, now: float
) -> str | None:
    """Why, or None. Some engines answer /metrics between two batches only, so one that is
    silent there works on a request.
    """
    if state["closed"] >= limits.failures:
        return "nothing accepts a connection at its port any more"
    if state["failures"] >= limits.failures:
        return "real requests time out while nothing moves"
    busy = seen.active_requests or seen.page == SILENT
    still = now - state["moved_at"]
    if instance["counters"] and busy and still >= instance["still"]:
        return f"requests are under way and nothing has moved for {still / 60:.0f} min"
    return None


def act(
    instance: dict[str, Any],
    state: dict[str, Any],
    reason: str,
    lock: str,
    limits: Limits,
    now: float,
) -> dict[str, Any]:
    """Asks systemd for it, unless an apply came meanwhile or the start is not the judged one any
    more. systemd is not waited for, so that the lock is held for a moment only.
    """
    reason = lost_gpu() or reason
    with lock_free(lock) as free:
        if not free or started(instance["unit"])[0] != state.get("run"):
            return state
        if state.get("gave_up"):
            return start_again(instance, state, limits, now)
        return restart(instance, state, reason, limits, now)


def start_again(
    instance: dict[str, Any], state: dict[str, Any], limits: Limits, now: float
) -> dict[str, Any]:
    if command("systemctl", "is-enabled", instance["unit"]).strip() != "enabled":
        return dict(state, again_at=now + limits.again)  # somebody wants it down
    print(instance["unit"] + ": started again; it was " + state["gave_up"])
    command("systemctl", "start", "--no-block", instance["unit"])
    return {"reason": state["gave_up"]}


def restart(
    instance: dict[str, Any], state: dict[str, Any], reason: str, limits: Limits, now: float
) -> dict[str, Any]:
    restarts = int(state.get("restarts", 0))
    if restarts < limits.restarts:
        print("{}: restarted: {}".format(instance["unit"], reason))
        command("systemctl", "restart", "--no-block", instance["unit"])
        pause = limits.pause * 2**restarts
        return {"restarts": restarts + 1, "not_before": now + pause, "reason": reason}
    minutes = round(limits.again / 60)
    said = f"given up for {minutes} min, restarted {restarts} times: {reason}"
    print(instance["unit"] + ": " + said)
    command("systemctl", "stop", "--no-block", instance["unit"])
    return {"run": state["run"], "gave_up": said, "again_at": now + limits.again}


@contextmanager
def lock_free(path: str) -> Iterator[bool]:
    """Whether no apply holds the project's lock; where none does we hold it within the block. An
    apply that comes meanwhile finds a dead owner's name in it, and tries again for a second
    (transport/remote/locks.py). A lock that cannot be asked is held.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        yield isinstance(error, FileNotFoundError)
        return
    try:
        yield taken(handle)
    finally:
        os.close(handle)


def taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def started(unit: str) -> tuple[str | None, float]:
    """systemd's id of the current start and its age in seconds; None where it is not active."""
    names = "ActiveState,InvocationID,ActiveEnterTimestampMonotonic"
    shown = command("systemctl", "show", "--property=" + names, unit)
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    since = float(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
    run = values.get("InvocationID") if values.get("ActiveState") == "active" else None
    return run or None, time.clock_gettime(time.CLOCK_MONOTONIC) - since


def boot_id() -> str:
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def total(metrics: Sequence[str], page: str) -> float | None:
    """The sum of these metrics (counters of what moves while a request runs, or gauges of what is
    worked on or waits); None where the page has none of them.
    """
    if not metrics:
        return None
    names = "|".join(re.escape(name) for name in metrics)
    values = [number(text) for text in re.findall("^(?:" + names + ")" + VALUE, page, re.MULTILINE)]
    known = [value for value in values if math.isfinite(value)]
    return sum(known) if known else None


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def ask(
    instance: dict[str, Any], method: str, path: str, body: str | None, timeout: float
) -> tuple[str, str]:
    """How the request ended, and the answer's text. `timeout` is for all of it: an engine that
    drips would keep the watchdog from all others of its host.
    """
    late = threading.Event()
    answer = asked(instance, method, path, body, timeout, late)
    return (SILENT, "") if late.is_set() else answer


def asked(
    instance: dict[str, Any],
    method: str,
    path: str,
    body: str | None,
    timeout: float,
    late: threading.Event,
) -> tuple[str, str]:
    headers = {"Content-Type": "application/json"}
    address = instance["address"]
    connection = http.client.HTTPConnection(
        address, instance["port"], timeout=timeout, source_address=(address, 0)
    )
    try:
        if instance.get("key_file"):
            with open(instance["key_file"], encoding="utf-8") as file:
                headers["Authorization"] = "Bearer " + key_in(
                    file.read(), instance.get("key_pattern")
                )
        connection.connect()
        with hung_up_after(timeout, connection.sock, late):
            connection.request(method, path, body, headers)
            return ANSWERED, connection.getresponse().read(1 << 20).decode("utf-8", "replace")
    except OSError as error:  # an address that the host has no more, a key that cannot be read
        if isinstance(error, (ConnectionRefusedError, ConnectionResetError)):
            return CLOSED, ""
        return (SILENT if isinstance(error, socket.timeout) else UNASKED), ""
    except (http.client.HTTPException, ValueError):
        return UNASKED, ""
    finally:
        connection.close()


@contextmanager
def hung_up_after(seconds: float, sock: socket.socket, late: threading.Event) -> Iterator[None]:
    """Where the block takes longer, `late` is set and its reads end."""

    def hang_up() -> None:
        late.set()
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it is closed

    timer = threading.Timer(seconds, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def key_in(text: str, pattern: str | None) -> str:
    """A key alone on its line, or a JSON string where a pattern finds it."""
    quoted = re.fullmatch(pattern, text) if pattern else None
    return str(json.loads(quoted.group(1))) if quoted else text.strip()


def lost_gpu() -> str | None:
    """NVIDIA's driver says so in the kernel's log (Xid 79)."""
    text = command("journalctl", "--dmesg", "--no-pager", "--lines=500", "--output=cat")
    for line in reversed(text.splitlines()):
        if "fallen off the bus" in line:
            return "a GPU fell off the bus: " + line.strip()[:200]
    return None


def command(*argv: str) -> str:
    """What it printed; "" where it could not be run or took too long."""
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
