"""The options of `docker run` in a list of arguments, read as Docker reads them (pflag): `--a=b`,
`--a b`, `-ab`, several short ones in one word. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SHORT = {
    "-a": "--attach",
    "-c": "--cpu-shares",
    "-d": "--detach",
    "-e": "--env",
    "-h": "--hostname",
    "-i": "--interactive",
    "-l": "--label",
    "-m": "--memory",
    "-P": "--publish-all",
    "-p": "--publish",
    "-q": "--quiet",
    "-t": "--tty",
    "-u": "--user",
    "-v": "--volume",
    "-w": "--workdir",
}
_ALIASES = {"--net": "--network", "--net-alias": "--network-alias", "--dns-opt": "--dns-option"}
# These take no word after them; every other option does.
_SWITCHES = frozenset(
    (
        "--detach",
        "--disable-content-trust",
        "--help",
        "--init",
        "--interactive",
        "--no-healthcheck",
        "--oom-kill-disable",
        "--privileged",
        "--publish-all",
        "--quiet",
        "--read-only",
        "--rm",
        "--sig-proxy",
        "--tty",
        "--use-api-socket",
    )
)
# Those of Docker 28 that take a word; a later one may have more.
_VALUED = (
    "add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop "
    "cgroup-parent cgroupns cidfile cpu-count cpu-percent cpu-period cpu-quota cpu-rt-period "
    "cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach-keys device "
    "device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops "
    "dns dns-option dns-search domainname entrypoint env env-file expose gpus group-add "
    "health-cmd health-interval health-retries health-start-interval health-start-period "
    "health-timeout hostname io-maxbandwidth io-maxiops ip ip6 ipc isolation kernel-memory "
    "label label-file link link-local-ip log-driver log-opt mac-address memory "
    "memory-reservation memory-swap memory-swappiness mount name network network-alias "
    "oom-score-adj pid pids-limit platform publish pull restart runtime security-opt shm-size "
    "stop-signal stop-timeout storage-opt sysctl tmpfs ulimit user userns uts volume "
    "volume-driver volumes-from workdir"
)
KNOWN = _SWITCHES | {f"--{name}" for name in _VALUED.split()}
_TRUE = ("1", "t", "T", "true", "TRUE", "True")


@dataclass(frozen=True)
class DockerOption:
    """`name` is the long one; `written` as the list has it, without a value. The value of a switch
    is `true` or `false`, that of an option at the list's end is "", which then `lacks` its own.
    """

    name: str
    written: str
    value: str
    lacks: bool = False


@dataclass(frozen=True)
class NoOption:
    """An argument that Docker would take for the image."""

    text: str


def docker_options(arguments: Sequence[str]) -> Iterator[DockerOption | NoOption]:
    words = iter(arguments)
    for word in words:
        if word in ("-", "--") or not word.startswith("-"):
            yield NoOption(word)
        elif word.startswith("--"):
            yield _long(word, words)
        else:
            yield from _short(word, words)


def _long(word: str, words: Iterator[str]) -> DockerOption:
    written, equals, value = word.partition("=")
    name = _ALIASES.get(written, written)
    if name in _SWITCHES:
        return DockerOption(name, written, _switch(value) if equals else "true")
    return DockerOption(name, written, value) if equals else _valued(name, written, words)


def _short(word: str, words: Iterator[str]) -> Iterator[DockerOption]:
    """Switches, then at most one option, whose value is the word's rest or the next word."""
    for place, letter in enumerate(word[1:], start=2):
        written, rest = f"-{letter}", word[place:]
        name = _SHORT.get(written, written)
        if name not in _SWITCHES:
            rest = rest.removeprefix("=")
            yield DockerOption(name, written, rest) if rest else _valued(name, written, words)
            return
        if rest.startswith("="):
            yield DockerOption(name, written, _switch(rest[1:]))
            return
        yield DockerOption(name, written, "true")


def _valued(name: str, written: str, words: Iterator[str]) -> DockerOption:
    value = next(words, None)
    return DockerOption(name, written, value or "", lacks=value is None)


def _switch(value: str) -> str:
    return "true" if value in _TRUE else "false"
