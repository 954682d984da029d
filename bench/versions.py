"""What `--help`, `validate` and a no-change `plan` take in this checkout, beside another one.

git worktree add /tmp/before COMMIT
python -m tests.lab up lab-fleet
python -m bench.versions /tmp/before --round-trip 50
"""

import argparse
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.measure import Cost, HostClock, measure
from bench.stage import HOST, Stage, staged

_RUN = "from xgen_deploy.cli.main import run; run()"


def main() -> None:
    asked = _arguments()
    checkouts = (asked.before, Path(__file__).resolve().parents[1])
    link = {"round_trip": asked.round_trip / 1000, "names": asked.hosts}
    print("command        time before   now  times  CPU before    now  times   CPU hosts  times")
    with TemporaryDirectory(prefix="xgen-bench-") as folder, staged(Path(folder), **link) as stage:
        stage.deploy()
        for name, words in _commands(stage, asked.hosts).items():
            rounds = [
                [_run(stage, checkout, words) for checkout in checkouts]
                for _ in range(asked.rounds + 1)
            ]
            _print(name, rounds[1:])  # the first one compiles


def _commands(stage: Stage, hosts: int) -> dict[str, list[str]]:
    manifest = str(stage.manifest(stage.names(hosts)))
    return {
        "--help": ["--help"],
        "validate": ["validate", manifest],
        f"plan, {hosts}": ["plan", manifest, "--ssh-config", str(stage.ssh_config)],
    }


def _run(stage: Stage, checkout: Path, words: list[str]) -> Cost:
    """Raises SystemExit where it failed."""
    env = {**stage.compiled, "PYTHONPATH": str(checkout)}
    cost = measure([sys.executable, "-P", "-c", _RUN, *words], env, HostClock(HOST))
    if cost.status != 0:
        sys.exit(f"{checkout}: {words} failed ({cost.status}):\n{cost.output[-3000:]}")
    return cost


def _print(name: str, rounds: list[list[Cost]]) -> None:
    """Medians; the ratios are those of the rounds."""
    parts = [f"{name:12}"]
    for what in ("wall", "here", "there"):
        before, now = (median(getattr(costs[n], what) for costs in rounds) for n in (0, 1))
        times = median(
            getattr(costs[1], what) / max(getattr(costs[0], what), 1e-9) for costs in rounds
        )
        parts.append(f"{before:8.2f} s {now:6.2f} s {times:5.2f}")
    print("  ".join(parts), flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.versions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("before", type=Path, help="a checkout of the other version")
    parser.add_argument("--hosts", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: 5")
    parser.add_argument("--round-trip", type=float, default=0.0, metavar="MS")
    return parser.parse_args()


if __name__ == "__main__":
    main()
