"""What the probe costs a host, beyond starting Python, by part and by fleet.

    python -m bench.probe

The host is this machine, with stand-ins of the vendors' libraries under the real bindings.
Needs a C compiler, and the package amdsmi for the fleets with AMD.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tests.fleets import building
from tests.fleets.described import Fleet, fleets
from xgen_deploy.probe.observe import read_document
from xgen_deploy.probe.program import probe_program
from xgen_deploy.state.facts import ProbeRequest
from xgen_deploy.transport.framing import STUB, decode, encode

SHOWN = ("rtx3090", "h100x8_one_lost", "rx7900xtx", "mi300x8", "nvidia_and_amd")
PYTHON = str(getattr(sys, "_base_executable", sys.executable))
MILLI = 1000


@dataclass(frozen=True)
class Row:
    """Medians in milliseconds; `beyond` is wall time over that of starting Python alone.
    `parts` are the moments, since the probe began, at which its parts were done."""

    name: str
    wall: float
    cpu: float
    beyond: float
    parts: dict[str, float]


@dataclass(frozen=True)
class Run:
    wall: float
    cpu: float
    output: bytes


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.probe")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="xgen-bench-") as folder:
        rows = _rows(Path(folder), asked.rounds)
    if asked.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _print(rows)


def _rows(folder: Path, rounds: int) -> list[Row]:
    known = fleets()
    hosts: dict[str, dict[str, str]] = {"no GPU": {}}
    for name in SHOWN:
        hosts[name] = _environment(folder / name, known[name])
    state, etc = str(folder / "state"), str(folder / "etc")
    ports = ((8001, 8020),)
    request = ProbeRequest(project="bench", state_dir=state, etc_dir=etc, ports=ports)
    sent = encode(probe_program(), request.model_dump_json().encode())
    runs: dict[str, list[Run]] = {name: [] for name in ("python", *hosts)}
    for _ in range(rounds):
        runs["python"].append(_run(["-I", "-c", "pass"], b"", {}))
        for name, env in hosts.items():
            runs[name].append(_run(["-I", "-S", "-c", STUB], sent, env))
    start = median(run.wall for run in runs["python"])
    return [_row(name, found, start) for name, found in runs.items()]


def _environment(folder: Path, fleet: Fleet) -> dict[str, str]:
    """Empty where the bindings that it needs are not installed."""
    package = building.amdsmi_package()
    folder.mkdir()
    (folder / "fleet.txt").write_text(fleet.fleet)
    env = {"XGEN_FLEET": str(folder / "fleet.txt")}
    if "nvidia" in fleet.libraries:
        building.nvml(folder / "lib", old=fleet.old)
        env["LD_LIBRARY_PATH"] = str(folder / "lib")
    if "amd" in fleet.libraries and package is not None:
        building.rocm(folder / "rocm", package)
        env["ROCM_PATH"] = str(folder / "rocm")
        # As on a host where somebody has run amd-smi before.
        subprocess.run([PYTHON, "-m", "compileall", "-q", str(folder / "rocm")], check=True)
    return env


def _run(words: list[str], given: bytes, env: dict[str, str]) -> Run:
    """CPU time is the process's and its children's, from the kernel."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [PYTHON, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(given)
    process.stdin.close()
    output = process.stdout.read()
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return Run(time.perf_counter() - began, used.ru_utime + used.ru_stime, output)


def _row(name: str, runs: list[Run], start: float) -> Row:
    parts: dict[str, float] = {}
    if name != "python":
        timings = [read_document(name, decode(run.output)).timings for run in runs]
        parts = {part: MILLI * median(t[part] for t in timings) for part in timings[0]}
    wall = median(run.wall for run in runs)
    cpu = median(run.cpu for run in runs)
    return Row(name, wall * MILLI, cpu * MILLI, (wall - start) * MILLI, parts)


def _print(rows: list[Row]) -> None:
    print(f"{'HOST':18} {'WALL':>6} {'CPU':>6} {'BEYOND':>7}  ms; done after: slowest parts")
    for row in rows:
        slowest = sorted(row.parts.items(), key=lambda part: -part[1])[:4]
        told = ", ".join(f"{name} {spent:.0f}" for name, spent in slowest)
        print(f"{row.name:18} {row.wall:6.0f} {row.cpu:6.0f} {row.beyond:7.0f}  {told}")


if __name__ == "__main__":
    main()
