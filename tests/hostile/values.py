"""What a stolen host might put where a value belongs, and where in a document it can put it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]

# Programs, files and variables of this machine; none of them may ever be run or read.
REFERENCES: dict[str, Any] = {
    "a command": {"command": "touch {marker}"},
    "a file": {"file": "{canary}"},
    "a variable": {"env": "XGEN_TEST_CANARY"},
}
VALUES: dict[str, Any] = {
    **REFERENCES,
    "a path out": "../../../srv/victim",
    "an absolute path": "/srv/victim",
    "an option": "--privileged",
    "a huge number": 10**400,
    "a negative number": -(2**70),
    "infinity": float("inf"),
    "a fraction": 1e308,
    "true": True,
    "deep nesting": "NESTED",  # written as text: a value that deep cannot be dumped
    "a megabyte": "A" * (1 << 20),
    "escapes": "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\u200b\r\nok all good",
    "nothing": None,
    "a list": [[], {}, ["--privileged", "-v", "/:/host"]],
    "a map": {"../x": {"command": "touch {marker}"}, "": None},
    "markup": "[bold red]x[/bold red][/]",
    "a surrogate": "\ud800",
}
NESTED = "[" * 100_000
KEYS = ("../../../srv/victim", "--privileged", "q-guard", "\x1b[2J", "", "A" * (1 << 20))


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Every key of a document, and the first item of every list: the others are alike."""
    items: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = iter(enumerate(value[:1]))
    for key, item in items:
        yield (*at, key)
        yield from paths(item, (*at, key))


def with_value(document: Any, path: Path, value: Any) -> Any:
    """A copy with another value at one place."""
    made = copy.deepcopy(document)
    parent = made
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return made


def keyed(document: Any) -> Iterator[tuple[str, Any]]:
    """Copies in which the first key of one map is a hostile one."""
    for path in ((), *paths(document)):
        for key in KEYS:
            made = copy.deepcopy(document)
            parent = made
            for step in path:
                parent = parent[step]
            if isinstance(parent, dict) and parent:
                parent[key] = parent.pop(next(iter(parent)))
                yield f"{'.'.join(map(str, path))} as {key[:20]!a}", made


def filled(value: Any, **names: str) -> Any:
    """The value with `{marker}` and `{canary}` put in."""
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, dict):
        return {k: filled(v, **names) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, **names) for v in value]
    return value
