"""A no-change `plan` beside bare Fabric, pyinfra and Ansible, for 1, 10 and 50 hosts.

python -m tests.lab up lab-fleet
python -m bench.plan
python -m bench.plan --round-trip 50 --hosts 1 10 20
python -m bench.plan --round-trip 50 --hosts 50 200 --only xgen
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import sleep

from bench.contenders import Contender, contenders, install_peers
from bench.measure import Cost, HostClock, adopt_orphans, descendants, end, measure
from bench.stage import HOST, Stage, staged

PEERS_FOLDER = Path.home() / ".cache" / "xgen-deploy-bench"
SETTLE_SECONDS = 1.0


@dataclass(frozen=True)
class Row:
    """Medians over the runs: seconds; memory in MiB; `floors` and `peers` are wall time over the
    floor's and over pyinfra's, the medians of the ratios round by round."""

    hosts: int
    name: str
    wall: float
    floors: float
    peers: float | None
    here: float
    there: float
    memory: float


def main() -> None:
    asked = _arguments()
    adopt_orphans()
    programs = install_peers(asked.peers)
    link = {"round_trip": asked.round_trip / 1000, "names": max(asked.hosts)}
    with TemporaryDirectory(prefix="xgen-bench-") as folder, staged(Path(folder), **link) as stage:
        stage.deploy()
        rows = [r for n in asked.hosts for r in _rows(stage, n, asked, programs)]
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows)


def _rows(stage: Stage, count: int, asked: argparse.Namespace, programs: Path) -> Iterator[Row]:
    """A round that warms up, those in which each contender is timed once, one for memory."""
    entrants = [
        c
        for c in contenders(stage, stage.names(count), programs)
        if not asked.only or re.search(asked.only, c.name) or c.name.startswith("floor")
    ]
    for contender in entrants:
        _run(contender, memory=False)
    rounds = [[_run(c, memory=False) for c in entrants] for _ in range(asked.rounds)]
    largest = [_run(c, memory=True).memory for c in entrants]
    end(descendants())
    peer = next((n for n, c in enumerate(entrants) if c.name == "pyinfra"), None)
    for place, contender in enumerate(entrants):
        runs = [costs[place] for costs in rounds]
        yield Row(
            hosts=count,
            name=contender.name,
            wall=median(run.wall for run in runs),
            floors=_times(rounds, place, 0),
            peers=None if peer is None else _times(rounds, place, peer),
            here=median(run.here for run in runs),
            there=median(run.there for run in runs),
            memory=largest[place] / 2**20,
        )


def _times(rounds: list[list[Cost]], place: int, other: int) -> float:
    return median(costs[place].wall / costs[other].wall for costs in rounds)


def _run(contender: Contender, *, memory: bool) -> Cost:
    """Raises SystemExit where the run failed or found something to do."""
    print(f"... {contender.name}", file=sys.stderr)
    cost = measure(
        contender.argv, contender.env, HostClock(HOST), memory=memory, keep=contender.keeps
    )
    if cost.status != 0 or not re.search(contender.proof, cost.output):
        sys.exit(f"{contender.name} failed ({cost.status}):\n{cost.output[-3000:]}")
    sleep(SETTLE_SECONDS)
    return cost


def _print(rows: list[Row]) -> None:
    columns = "time  × floor  × pyinfra  CPU here  CPU hosts   memory"
    print(f"hosts                               {columns}")
    for row in rows:
        peers = "-" if row.peers is None else f"{row.peers:.2f}"
        print(
            f"{row.hosts:5}  {row.name:27} {row.wall:5.2f} s  {row.floors:5.2f}    {peers:>6}"
            f"     {row.here:6.2f} s  {row.there:7.2f} s  {row.memory:4.0f} MiB"
        )
    few, many = min(r.hosts for r in rows), max(r.hosts for r in rows)
    for name in dict.fromkeys(row.name for row in rows if few < many):
        spent = {row.hosts: row.here for row in rows if row.name == name}
        each = 1000 * (spent[many] - spent[few]) / (many - few)
        print(f"{name}: {each:.1f} ms of CPU time here a host between {few} and {many}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.plan",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--hosts",
        type=int,
        nargs="+",
        default=[1, 10, 50],
        metavar="N",
        help="how many, without a link at most 50 (default: 1 10 50)",
    )
    parser.add_argument(
        "--round-trip",
        type=float,
        default=0.0,
        metavar="MS",
        help="a slow link in front of the hosts (default: none)",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default: 3")
    parser.add_argument("--only", metavar="REGEX", help="contenders, besides the floor")
    parser.add_argument(
        "--peers",
        type=Path,
        default=PEERS_FOLDER,
        metavar="FOLDER",
        help=f"where Ansible and pyinfra are installed (default: {PEERS_FOLDER})",
    )
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser.parse_args()


if __name__ == "__main__":
    main()
