"""What a serving engine on the CPU notices of a file that comes to its host, by xgen-deploy and by
scp: its tokens a second, and what the file leaves in memory. Root only; the host is a network
namespace of this machine, and this side of the transfer runs with idle priority, for it would be
elsewhere.

python -m bench.gentle
"""

import argparse
import http.client
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

from bench.hosts_by_namespace import Fleet, fleet
from bench.transfer import Way, random_file, send_by_scp, send_by_xgen
from tests.lab import payload
from tests.ports import free_port
from xgen_deploy.transfer.local_file import LocalFile

_TOKENS = 64
_WAYS: dict[str, Way | None] = {
    "nothing": None,
    "xgen-deploy": send_by_xgen,
    "scp": send_by_scp,
}


@dataclass(frozen=True)
class Row:
    """Medians: tokens a second while it comes; MiB of it in memory afterwards."""

    name: str
    tokens: float
    cached: float
    seconds: float


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=1000, help="MB")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--work", help="where three times the size has room")
    options = asked.parse_args()
    with TemporaryDirectory(prefix="xgen-bench-", dir=options.work) as work:
        file = random_file(Path(work), options.size)
        folder = Path(work) / "fleet"
        folder.mkdir()
        with fleet(folder, 1) as hosts, _engine() as port:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
            _rate(port)
            rounds = [
                {name: _round(hosts, file, port, way) for name, way in _WAYS.items()}
                for _ in range(options.rounds)
            ]
    _print([_medians(name, [each[name] for each in rounds]) for name in _WAYS])


@contextmanager
def _engine() -> Iterator[int]:
    """A llama-server on all processors, and its port."""
    (model,) = payload.model_dir().glob("*.gguf")
    port = free_port()
    words = f"--ctx-size 512 --parallel 1 --device none --host 127.0.0.1 --port {port}".split()
    argv = [str(payload.engine_dir() / "llama-server"), "--model", str(model), *words]
    quiet = subprocess.DEVNULL
    engine = subprocess.Popen(argv, stdout=quiet, stderr=quiet)
    try:
        while True:
            time.sleep(0.1)
            try:
                _rate(port)
                break
            except OSError:
                assert engine.poll() is None
        yield port
    finally:
        engine.terminate()
        engine.wait()


def _rate(port: int) -> float:
    """Tokens a second, by the engine's own clock."""
    body = {"prompt": "The capital of France is", "n_predict": _TOKENS, "ignore_eos": True}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request("POST", "/completion", json.dumps(body))
        return float(json.loads(connection.getresponse().read())["timings"]["predicted_per_second"])
    except KeyError:
        raise ConnectionError("it still loads") from None
    finally:
        connection.close()


def _round(hosts: Fleet, file: LocalFile, port: int, way: Way | None) -> Row:
    (name,) = hosts.names
    place = hosts.place(name) / "m"
    rmtree(place, ignore_errors=True)
    place.mkdir()
    os.sync()
    if way is None:
        return Row("", median(_rate(port) for _ in range(5)), 0, 0)
    began = time.monotonic()
    coming = threading.Thread(target=way, args=(hosts, file, hosts.names))
    coming.start()
    rates = []
    while coming.is_alive():
        rates.append(_rate(port))
    # The last one was counted beyond its end.
    return Row(
        "", median(rates[:-1] or rates), _cached(place / file.path.name), time.monotonic() - began
    )


def _cached(path: Path) -> float:
    argv = ["fincore", "--bytes", "--noheadings", "--output", "RES", str(path)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return int(said) / 2**20


def _medians(name: str, rows: list[Row]) -> Row:
    return Row(
        name,
        median(row.tokens for row in rows),
        median(row.cached for row in rows),
        median(row.seconds for row in rows),
    )


def _print(rows: list[Row]) -> None:
    print("what comes      tokens a second  of alone      it took  in memory then")
    for row in rows:
        share = row.tokens / rows[0].tokens
        print(
            f"{row.name:12} {row.tokens:18.1f}  {share:8.2f}  {row.seconds:9.1f} s"
            f"  {row.cached:10.0f} MiB"
        )


if __name__ == "__main__":
    main()
