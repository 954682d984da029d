"""An `apply` beside the engine's own start, for one host and for ten; and one with nothing to do.

python -m tests.lab up lab-fleet
python -m bench.apply
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep

from bench.measure import Cost, HostClock, adopt_orphans, measure
from bench.stage import HOST, Stage, staged
from tests.lab import engine_site, lab, places
from tests.lab.host import LabHost
from xgen_deploy.apply.gate import SOAK

PROJECT = "bench_apply"
PLACE = "/srv/bench-apply"
FIRST_PORT = 8601
SETTLE_SECONDS = 1.0

# Runs on the host: seconds from the start of argv to its first answer.
BY_HAND = """
import subprocess, sys, time, urllib.request
body = b'{"prompt": "Hello", "max_tokens": 1}'
ask = urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"})
began = time.monotonic()
engine = subprocess.Popen(sys.argv[2:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
while True:
    try:
        urllib.request.urlopen(ask, timeout=60).read()
        break
    except OSError:
        time.sleep(0.01)
print(time.monotonic() - began)
engine.kill()
"""

# Each name has a record, a lock and a machine ID of its own, as ten hosts have: the rest is shared.
PYTHON = f"""#!/bin/sh
name=${{0##*-}}
mkdir -p {PLACE}/$name /var/lib/xgen-deploy
echo 000000000000000000000000000000$name > {PLACE}/$name.id
exec unshare --mount sh -c '
mount --bind {PLACE}/'$name'.id /etc/machine-id
mount --bind {PLACE}/'$name' /var/lib/xgen-deploy && exec /usr/bin/python3 "$@"' python3 "$@"
"""


@dataclass(frozen=True)
class Row:
    """Medians over the rounds, in seconds: wall time, what of it is beyond the engine's own start
    and the soak, `times` the wall time of one host, CPU time here and on the hosts. `least`: the
    soak and that CPU time over the cores that all of them share here; no tool takes less."""

    hosts: int
    name: str
    wall: float
    beyond: float | None
    times: float
    here: float
    there: float
    least: float


def main() -> None:
    asked = _arguments()
    adopt_orphans()
    host = lab.up([HOST])[0]
    engine_site.place_models(host)
    with TemporaryDirectory(prefix="xgen-bench-") as folder, staged(Path(folder)) as stage:
        _prepare(host, max(asked.hosts))
        try:
            engine = median(_by_hand(host) for _ in range(asked.rounds))
            rows = [r for n in asked.hosts for r in _rows(stage, host, n, asked.rounds, engine)]
        finally:
            host.sh(f"rm -r {PLACE}; systemctl reset-failed")
    rows = [_against_one(row, rows) for row in rows]
    if asked.json:
        print(json.dumps({"engine": engine, "soak": SOAK, "rows": [asdict(r) for r in rows]}))
    else:
        _print(rows, engine)


def _prepare(host: LabHost, count: int) -> None:
    host.run(["mkdir", "-p", PLACE])
    for number in range(1, count + 1):
        file = f"{PLACE}/python-{number:02}"
        host.run(["sh", "-c", f"cat > {file}; chmod 755 {file}"], stdin=PYTHON)


def _by_hand(host: LabHost) -> float:
    """The same binary and arguments, without us."""
    port = FIRST_PORT - 1
    words = f"--model {engine_site.TINY} --alias tiny --host 127.0.0.1 --port {port}"
    words += " --ctx-size 256 --parallel 1 --device none --fit off --threads 1 --metrics"
    argv = [places.ENGINE, *shlex.split(words), "--log-verbosity", "4"]
    url = f"http://127.0.0.1:{port}/v1/completions"
    return float(host.run(["python3", "-I", "-c", BY_HAND, url, *argv]).stdout)


def _rows(stage: Stage, host: LabHost, count: int, rounds: int, engine: float) -> Iterator[Row]:
    """A round that warms up, then those that count. Each begins and ends with nothing there."""
    found: dict[str, list[Cost]] = {"create": [], "update": [], "nothing to do": []}
    for number in range(rounds + 1):
        for what, n_ctx, proof in (
            ("create", 256, f"{count} done, all good"),
            ("update", 320, f"{count} done, all good"),
            ("nothing to do", 320, "nothing to do"),
        ):
            cost = _run(stage, host, "apply", count, n_ctx, proof)
            if number:
                found[what].append(cost)
        _run(stage, host, "destroy", count, 320, "all good")
    for what, costs in found.items():
        wall = median(c.wall for c in costs)
        here, there = median(c.here for c in costs), median(c.there for c in costs)
        soak = 0.0 if what == "nothing to do" else SOAK
        yield Row(
            hosts=count,
            name=what,
            wall=wall,
            beyond=None if what == "nothing to do" else wall - engine - SOAK,
            times=1.0,
            here=here,
            there=there,
            least=soak + (here + there) / len(os.sched_getaffinity(0)),
        )


def _run(stage: Stage, host: LabHost, command: str, count: int, n_ctx: int, proof: str) -> Cost:
    """Raises SystemExit where it failed."""
    print(f"... {command} {count} {n_ctx}", file=sys.stderr)
    manifest = _manifest(stage, count, n_ctx)
    argv = [stage.program, command, str(manifest), "--ssh-config", str(stage.ssh_config), "-y"]
    cost = measure(argv, stage.compiled, HostClock(host.name))
    if cost.status != 0 or proof not in cost.output:
        sys.exit(f"{command} failed ({cost.status}):\n{cost.output[-3000:]}")
    sleep(SETTLE_SECONDS)
    return cost


def _manifest(stage: Stage, count: int, n_ctx: int) -> Path:
    """One instance a host, each of its own name and port."""
    hosts, placed = "", ""
    for number, name in enumerate(stage.names(count), 1):
        python = f"{PLACE}/python-{number:02}"
        hosts += f"      {name}: {{ansible_python_interpreter: {python}}}\n"
        port = FIRST_PORT + number
        placed += f"  {name}: [{{model: tiny, name: tiny-{number:02}, port: {port}, gpus: []}}]\n"
    return stage.write(
        "apply.yaml",
        f"project: {PROJECT}\nruntime: systemd\nbinaries: {{llama: {places.ENGINE}}}\n"
        f"models:\n  tiny: {{source: {engine_site.TINY}, n_ctx: {n_ctx},"
        # Replicas are changed a few at a time unless told otherwise.
        f" llama: {{threads: 1, parallel: 1}}, update: {{canary: 0, max_unavailable: {count}}}}}\n"
        f"inventory:\n  all:\n    hosts:\n{hosts}hosts:\n{placed}",
    )


def _against_one(row: Row, rows: list[Row]) -> Row:
    one = next(r for r in rows if r.name == row.name)
    return Row(**{**asdict(row), "times": row.wall / one.wall})


def _print(rows: list[Row], engine: float) -> None:
    print(f"the engine alone, from its start to its first answer: {engine:.2f} s; soak {SOAK:g} s")
    columns = "time  × first  beyond engine and soak  CPU here  CPU hosts   least"
    print(f"hosts                    {columns}")
    for row in rows:
        beyond = "-" if row.beyond is None else f"{row.beyond:.2f} s"
        print(
            f"{row.hosts:5}  {row.name:15} {row.wall:5.2f} s  {row.times:7.2f}  {beyond:>22}"
            f"  {row.here:6.2f} s  {row.there:7.2f} s  {row.least:.2f} s"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.apply",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 10], metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser.parse_args()


if __name__ == "__main__":
    main()
