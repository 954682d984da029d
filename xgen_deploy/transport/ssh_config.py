"""OpenSSH's client configuration: `Host` and `Match` blocks with `Include`. Pure, given a reader.

Paramiko's own parser ignores `Include`, and treats an unknown `Match` criterion as a match.
"""

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from xgen_deploy.errors import UsageError

ReadFiles = Callable[[str], list[tuple[str, str]]]

_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*?)\s*$")
_SEVERAL = frozenset({"identityfile", "certificatefile"})
_NESTING = 16


@dataclass(frozen=True)
class Block:
    """Settings that apply where every condition holds; a condition is a `Host` or `Match` line."""

    conditions: tuple[tuple[str, ...], ...]
    settings: tuple[tuple[str, str], ...]
    where: str


@dataclass
class Settings:
    """The settings of one host: for each key its first value, unparsed; several for some keys."""

    values: dict[str, list[str]] = field(default_factory=dict)

    def text(self, key: str) -> str | None:
        """The value of `key` (lower case), without quotes."""
        words = self.words(key)
        return words[0] if words else None

    def words(self, key: str) -> list[str]:
        return _split(self.values[key][0]) if key in self.values else []

    def raw(self, key: str) -> str | None:
        return self.values[key][0] if key in self.values else None

    def each(self, key: str) -> list[str]:
        return [word for value in self.values.get(key, []) for word in _split(value)[:1]]

    def put(self, key: str, value: str) -> None:
        known = self.values.setdefault(key, [])
        if not known or (key in _SEVERAL and value not in known):
            known.append(value)


def parse(
    text: str,
    file: str,
    include: ReadFiles,
    outer: tuple[tuple[str, ...], ...] = (),
    depth: int = 0,
) -> tuple[Block, ...]:
    """The blocks of a file in order. `include` returns the files (name, text) that an argument of
    `Include` names. Raises UsageError for a file that includes itself."""
    if depth > _NESTING:
        raise UsageError(f"{file}: Include is nested too deeply; does a file include itself?")
    blocks: list[Block] = []
    conditions, settings, where = outer, [], file
    for number, line in enumerate(text.splitlines(), 1):
        setting = _LINE.match(line)
        if not setting or line.lstrip().startswith("#"):
            continue
        key, value = setting[1].lower(), setting[2]
        if key not in ("host", "match", "include"):
            settings.append((key, value))
            continue
        blocks.append(Block(conditions, tuple(settings), where))
        settings = []
        if key == "include":
            for name, content in (pair for word in _split(value) for pair in include(word)):
                blocks.extend(parse(content, name, include, conditions, depth + 1))
        else:
            where = f"{file}:{number}"
            conditions = (*outer, (key, *_split(value)))
    return (*blocks, Block(conditions, tuple(settings), where))


def lookup(
    blocks: tuple[Block, ...],
    alias: str,
    local_user: str,
    first: tuple[tuple[str, str], ...] = (),
) -> Settings:
    """The settings for the host `alias`; `first` are those that come before the files', as ssh's
    `-o` does. Raises UsageError where an unsupported `Match` decides about it."""
    settings = Settings()
    for key, value in first:
        settings.put(key, value)
    final = any("final" in condition for block in blocks for condition in block.conditions)
    for last in (False, True) if final else (False,):
        for block in blocks:
            if all(_holds(c, alias, local_user, settings, last, block) for c in block.conditions):
                for key, value in block.settings:
                    settings.put(key, value)
    return settings


def _holds(
    condition: tuple[str, ...],
    alias: str,
    local_user: str,
    settings: Settings,
    last: bool,
    block: Block,
) -> bool:
    kind, *words = condition
    if kind == "host":
        return _any_pattern(words, alias)
    host = settings.text("hostname") or alias
    subjects = {
        "host": host.replace("%h", alias),
        "originalhost": alias,
        "user": settings.text("user") or local_user,
        "localuser": local_user,
    }
    while words:
        word = words.pop(0)
        criterion = word.lstrip("!").lower()
        if criterion == "all":
            holds = True
        elif criterion == "final":
            holds = last
        elif criterion == "canonical":
            holds = False
        elif criterion in subjects and words:
            holds = _any_pattern(words.pop(0).split(","), subjects[criterion])
        else:
            raise UsageError(
                f"{block.where}: `Match {criterion}` is not supported, and it decides how {alias} "
                "is reached. Use a file without it: --ssh-config FILE."
            )
        if holds == word.startswith("!"):
            return False
    return True


def _any_pattern(patterns: list[str], name: str) -> bool:
    held = False
    for pattern in patterns:
        negated = pattern.startswith("!")
        if _matches(name.lower(), pattern.lstrip("!").lower()):
            if negated:
                return False
            held = True
    return held


def _matches(name: str, pattern: str) -> bool:
    if "*" not in pattern and "?" not in pattern:
        return pattern == name  # fnmatch compiles each pattern: slow for long files
    return fnmatchcase(name, pattern.replace("[", "[[]"))


def _split(value: str) -> list[str]:
    try:
        words = shlex.split(value)
    except ValueError:
        words = value.split()
    comment = next((n for n, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:comment]
