"""What `serve` costs the operator's machine while many pages are open over many hosts.

    python -m bench.serve

One sshd of this machine plays all hosts, at an address each; in place of their Python it runs
`bench/stand_in_agent.py`. Needs root. Only the processor time and memory of `serve` itself count.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from bench.exporter import cpu, largest
from tests.fake_host.host import FakeHost
from tests.ports import free_port
from tests.transport.sshd import Sshd, keygen

AGENT = Path(__file__).with_name("stand_in_agent.py")
SETTLE, MEASURED = 30.0, 60.0


def main() -> None:
    asked = _arguments()
    with (
        TemporaryDirectory(prefix="xgen-serve-") as folder,
        _hosts(Path(folder), asked.hosts),
        _serve(Path(folder)) as (process, link),
    ):
        events, spent, memory = asyncio.run(_watch(process.pid, link, asked.streams))
    print("hosts  streams  CPU of a core  memory    events a stream and second")
    print(
        f"{asked.hosts:5}  {asked.streams:7}  {spent:13.1%}  {memory:4.0f} MiB  "
        f"{events / asked.streams:.2f}"
    )


async def _watch(pid: int, link: str, streams: int) -> tuple[float, float, float]:
    """Events a second over all streams, the share of a core, and MiB."""
    host, cookie = await _log_in(link)
    counts = [0] * streams
    tasks = [asyncio.create_task(_stream(host, cookie, counts, n)) for n in range(streams)]
    await asyncio.sleep(SETTLE)
    before, began, told = cpu(pid), time.monotonic(), sum(counts)
    await asyncio.sleep(MEASURED)
    seconds = time.monotonic() - began
    spent = (cpu(pid) - before) / seconds
    ended = [task for task in tasks if task.done()]
    if ended:
        sys.exit(f"{len(ended)} streams ended")
    for task in tasks:
        task.cancel()
    if not all(counts):
        sys.exit(f"{counts.count(0)} streams told nothing")
    return (sum(counts) - told) / seconds, spent, largest(pid)


async def _stream(host: str, cookie: str, counts: list[int], number: int) -> None:
    reader, _ = await _asked(host, "/api/events", f"Cookie: {cookie}\r\n")
    async for line in reader:
        counts[number] += line.startswith(b"event: values")


async def _log_in(link: str) -> tuple[str, str]:
    host, path = re.fullmatch(r"http://([^/]+)(/.+)", link).groups()  # type: ignore[union-attr]
    reader, writer = await _asked(host, path, "Connection: close\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    cookies = SimpleCookie(re.findall(r"(?im)^set-cookie: (.*)$", answer)[0])
    ((name, morsel),) = cookies.items()
    return host, f"{name}={morsel.value}"


async def _asked(
    host: str, path: str, headers: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(address, int(port), limit=1 << 22)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode())
    return reader, writer


@contextmanager
def _hosts(folder: Path, count: int) -> Iterator[None]:
    """A manifest over them, and the SSH configuration to reach them."""
    key, host_key = keygen(folder / "id"), keygen(folder / "host")
    document = folder / "document.json"
    document.write_bytes(FakeHost("h", "h100x4").observe(b"", json.dumps(_ASKED).encode()))
    forced = f"ForceCommand {sys.executable} -S {AGENT} {document}"
    settings = [forced, "MaxStartups 500", "MaxSessions 20"]
    sshd = Sshd(folder, Path(f"{key}.pub"), [host_key], listen="0.0.0.0", settings=settings)  # noqa: S104
    sshd.start()
    names = {f"h{n:02}": f"127.0.1.{n + 1}" for n in range(count)}
    known = Path(f"{host_key}.pub").read_text()
    lines = (f"[{address}]:{sshd.port} {known}" for address in names.values())
    (folder / "known_hosts").write_text("".join(lines))
    (folder / "ssh_config").write_text(
        f"Host *\n  UserKnownHostsFile {folder / 'known_hosts'}\n  IdentityFile {key}\n"
        "  IdentitiesOnly yes\n"
    )
    reached = {"ansible_port": sshd.port, "ansible_user": sshd.user}
    inventory = {name: {"ansible_host": address, **reached} for name, address in names.items()}
    manifest = {
        "project": "p",
        "runtime": "systemd",
        "inventory": {"all": {"hosts": inventory}},
        "binaries": {"llama": "/opt/engine"},
        "models": {"m": {"source": "/m/m.gguf"}},
        "hosts": {name: [{"model": "m", "gpus": [0]}] for name in names},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(manifest))
    try:
        yield
    finally:
        sshd.stop()


@contextmanager
def _serve(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    argv = [sys.executable, "-m", "xgen_deploy", "serve", str(folder / "site.yaml")]
    argv += ["--port", str(free_port()), "--ssh-config", str(folder / "ssh_config")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline() if process.stderr else ""
        link = re.search(r"http://\S+", line)
        if link is None:
            sys.exit(line)
        yield process, link[0]
    finally:
        process.kill()
        process.wait()


_ASKED = {
    "state_dir": "/var/lib/xgen-deploy/p", "etc_dir": "/etc/xgen-deploy/p", "project": "p",
    "models": [], "engines": [], "files": [], "adopt_units": [], "units": {}, "health": False,
    "gateway_stats": False,
}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--streams", type=int, default=200)
    return parser.parse_args()


if __name__ == "__main__":
    main()
