"""What an image's ENTRYPOINT starts, as far as its words tell. The options of an engine come
behind them.
"""

import re
import shlex
from dataclasses import dataclass

_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh"))
# Programs that run what follows them; the last is the script of NVIDIA's base images.
_RUNNERS = frozenset(
    ("env", "exec", "tini", "dumb-init", "docker-init", "catatonit", "nvidia_entrypoint.sh")
)
_PYTHON = re.compile(r"python[\d.]*")
# What hands a shell's arguments on from inside its command.
_HANDED_ON = re.compile(r"\$[@*]|\$\{[@*]\}")
_SHOWN = 120


class StartsNothing(Exception):
    """An ENTRYPOINT that starts no program to take options; the text ends a sentence about it."""


@dataclass(frozen=True)
class Program:
    """`name` is the last part of a program's path, or a whole module of Python; `arguments` are
    what the image itself gives it.
    """

    name: str
    arguments: tuple[str, ...]


def program_of(entrypoint: tuple[str, ...]) -> Program:
    """Past what only runs another program, and past Python. Raises StartsNothing."""
    words = _past_runners(entrypoint)
    if not words:
        raise StartsNothing("runs what follows it as a program")
    name, *rest = _base(words[0]), *words[1:]
    if name in _SHELLS:
        return _of_shell(name, rest)
    if _PYTHON.fullmatch(name):
        return _of_python(rest)
    return Program(name, tuple(rest))


def shown(entrypoint: tuple[str, ...]) -> str:
    text = shlex.join(entrypoint)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def is_python(path: str) -> bool:
    return _PYTHON.fullmatch(_base(path)) is not None


def _of_shell(name: str, rest: list[str]) -> Program:
    options = [w for w in rest if w.startswith("-")]
    scripts = [w for w in rest if not w.startswith("-")]
    if not scripts:
        raise StartsNothing("is a shell")
    if any(not o.startswith("--") and "c" in o for o in options):
        if not _HANDED_ON.search(scripts[0]):
            raise StartsNothing("is a shell's command and drops every option")
        return Program(name, tuple(rest))
    return Program(_base(scripts[0]), tuple(scripts[1:]))


def _of_python(rest: list[str]) -> Program:
    if "-m" in rest[:-1]:
        at = rest.index("-m")
        return Program(rest[at + 1], tuple(rest[at + 2 :]))
    scripts = [w for w in rest if not w.startswith("-")]
    if not scripts:
        raise StartsNothing("is an interpreter")
    return Program(scripts[0], tuple(rest[rest.index(scripts[0]) + 1 :]))


def _past_runners(words: tuple[str, ...]) -> tuple[str, ...]:
    while words and _base(words[0]) in _RUNNERS:
        words = words[1:]
        while words and (words[0].startswith("-") or "=" in words[0]):
            words = words[1:]
    return words


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]
