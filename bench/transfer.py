"""A file to one host and to several, beside scp and rsync; over links as fast as they go, and over
links of a given speed. Root only.

python -m bench.transfer
"""

import argparse
import os
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from statistics import median
from tempfile import TemporaryDirectory

from bench.hosts_by_namespace import Fleet, fleet
from xgen_deploy.state.host import Host
from xgen_deploy.state.transfer import TransferRequest, WantedFile
from xgen_deploy.transfer.chain import Hop, bring
from xgen_deploy.transfer.local_file import LocalFile, digested
from xgen_deploy.transport.connect import Connector
from xgen_deploy.transport.options import Options

Way = Callable[[Fleet, LocalFile, Sequence[str]], None]


@dataclass(frozen=True)
class Row:
    """Medians: seconds, and processor seconds on this side."""

    name: str
    hosts: int
    wall: float
    here: float
    least: float


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=1000, help="MB of the unshaped transfers")
    asked.add_argument("--shaped-size", type=int, default=1000, help="MB of the shaped ones")
    asked.add_argument("--rate", type=int, default=20, help="MB/s of a shaped link")
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--work", help="where 10 times the size has room")
    options = asked.parse_args()
    with TemporaryDirectory(prefix="xgen-bench-", dir=options.work) as work:
        file = random_file(Path(work), options.size)
        with _hosts(work, 3) as hosts:
            print(f"{options.size} MB, links as fast as they go")
            for count in (1, 3):
                _print([_row(hosts, file, count, way, options.rounds) for way in _WAYS.items()])
        file = random_file(Path(work), options.shaped_size)
        with _hosts(work, 8, f"{8 * options.rate}mbit") as hosts:
            print(f"{options.shaped_size} MB, links of {options.rate} MB/s")
            rows = [_row(hosts, file, n, ("xgen-deploy", send_by_xgen), 1) for n in (1, 4, 8)]
            rows += [_row(hosts, file, n, ("scp", send_by_scp), 1) for n in (1, 4)]
            _print(rows)


def _hosts(work: str, count: int, rate: str = "") -> AbstractContextManager[Fleet]:
    folder = Path(work) / f"fleet{count}"
    folder.mkdir()
    return fleet(folder, count, rate=rate)


def random_file(folder: Path, megabytes: int) -> LocalFile:
    path = folder / f"model-{megabytes}.gguf"
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(os.urandom(1_000_000))
    return digested(path)


def _row(hosts: Fleet, file: LocalFile, count: int, way: tuple[str, Way], rounds: int) -> Row:
    name, run = way
    walls, here = [], []
    for _ in range(rounds):
        for host in hosts.names:
            rmtree(hosts.place(host) / "m", ignore_errors=True)
            (hosts.place(host) / "m").mkdir()
        os.sync()
        began, spent = time.monotonic(), _spent()
        run(hosts, file, hosts.names[:count])
        walls.append(time.monotonic() - began)
        here.append(_spent() - spent)
        for host in hosts.names[:count]:
            assert (hosts.place(host) / "m" / file.path.name).stat().st_size == file.size
    return Row(name, count, median(walls), median(here), min(walls))


def send_by_xgen(hosts: Fleet, file: LocalFile, names: Sequence[str]) -> None:
    connector = Connector(Options(ssh_config=hosts.ssh_config, runtime="systemd"))
    hops = []
    for name in names:
        folder = hosts.place(name) / "m"
        wanted = WantedFile(
            place=str(folder / file.path.name),
            size=file.size,
            sha256=file.sha256,
            chunks=file.chunks,
        )
        request = TransferRequest(files=(wanted,), route="receive", root=str(folder))
        hops.append(
            Hop(
                connection=connector.connect(Host(name=name, become=False)),
                request=request,
                address=hosts.address(name),
                port=8099,
                comes_from=(hosts.address(name),),
            )
        )
    failed = bring(hops, lambda _: file.path, lambda *_: None)
    connector.close()
    assert set(failed.values()) == {None}, failed


def send_by_scp(hosts: Fleet, file: LocalFile, names: Sequence[str]) -> None:
    _side_by_side([["scp", "-q", *_copy(hosts, file, name)] for name in names])


def _scp_gcm(hosts: Fleet, file: LocalFile, names: Sequence[str]) -> None:
    cipher = ["-c", "aes128-gcm@openssh.com"]
    _side_by_side([["scp", "-q", *cipher, *_copy(hosts, file, name)] for name in names])


def _rsync(hosts: Fleet, file: LocalFile, names: Sequence[str]) -> None:
    def argv(name: str) -> list[str]:
        _, config, source, target = _copy(hosts, file, name)
        return ["rsync", "-W", "--inplace", "-e", f"ssh -F {config}", source, target]

    _side_by_side([argv(name) for name in names])


def _copy(hosts: Fleet, file: LocalFile, name: str) -> list[str]:
    target = f"{name}:{hosts.place(name) / 'm'}/"
    return ["-F", str(hosts.ssh_config), str(file.path), target]


def _side_by_side(lines: Sequence[list[str]]) -> None:
    def run(argv: list[str]) -> None:
        subprocess.run(argv, check=True)

    threads = [threading.Thread(target=run, args=(argv,)) for argv in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _spent() -> float:
    """Processor seconds of this process and of what it waited for."""
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in both)


def _print(rows: Sequence[Row]) -> None:
    first = {row.name: row.wall for row in reversed(rows)}
    print("hosts                         time   least  x first  CPU here")
    for row in rows:
        print(
            f"{row.hosts:5}  {row.name:20} {row.wall:6.2f} s {row.least:6.2f}"
            f"  {row.wall / first[row.name]:7.2f}  {row.here:6.2f} s"
        )


_WAYS: dict[str, Way] = {
    "xgen-deploy": send_by_xgen,
    "scp": send_by_scp,
    "scp, aes128-gcm": _scp_gcm,
    "rsync -W": _rsync,
}

if __name__ == "__main__":
    main()
