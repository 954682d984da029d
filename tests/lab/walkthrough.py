"""A page of the documentation as a session: its files, its commands, and the output it shows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([\w./-]+\.yaml)`[^`]*$")
_MARK = "@@ step"
_SKIPPED = "..."
# What differs from one run to the next: who, times, digests, sizes.
_VARIES = (
    (re.compile(r"\b[\w.-]+@[\w.-]+"), "WHO"),
    (re.compile(r"\b\d+(?:\.\d+)? (?:s|min|h|d|ms|MiB|GiB)\b"), "SIZE"),
    (re.compile(r"\b[0-9a-f]{6,64}\b"), "DIGEST"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True)
class Step:
    """`output` are the lines that the page shows, `...` among them for any."""

    command: str
    output: tuple[str, ...]


@dataclass(frozen=True)
class NewFile:
    """Written before the next step."""

    name: str
    text: str


def steps(page: str) -> Iterator[Step | NewFile]:
    """In the order of the page. A YAML block belongs to the file that the line before it names."""
    for block in _BLOCK.finditer(page):
        if block[1] == "console":
            yield from _commands(block[2].splitlines())
            continue
        named = _NAMED.search(page[: block.start()].rstrip().rpartition("\n")[2])
        assert named is not None, f"no file is named before {block[2][:40]!r}"
        yield NewFile(named[1], block[2])


def _commands(lines: list[str]) -> Iterator[Step]:
    command: list[str] = []
    output: list[str] = []
    for line in lines:
        if line.startswith("> ") and not output:
            command.append(line[2:])
            continue
        if line.startswith("$ "):
            if command:
                yield Step("\n".join(command), tuple(output))
            command, output = [line[2:]], []
        else:
            output.append(line)
    yield Step("\n".join(command), tuple(output))


def walk(page: str, folder: Path, env: Mapping[str, str]) -> list[tuple[Step, str]]:
    """Runs all of it in one shell that starts in `folder`; each step with what it printed."""
    lines, done = [f"step() {{ local code=$?; echo; echo '{_MARK}'; return $code; }}"], []
    for item in steps(page):
        if isinstance(item, NewFile):
            lines += [f"cat > {item.name} << 'XGEN-FILE'", item.text + "XGEN-FILE"]
        else:
            lines += ["step", item.command]
            done.append(item)
    shell = subprocess.run(
        ["bash", "-c", "\n".join(lines) + "\n"],
        stdin=subprocess.DEVNULL,
        cwd=folder,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    printed = shell.stdout.split(f"\n{_MARK}\n")[1:]
    return list(zip(done, printed, strict=True))


def missing_line(step: Step, printed: str) -> str | None:
    """The first line of the page that the output lacks at its place; None where it is as shown."""
    actual = [_without_variations(line) for line in printed.splitlines() if line.strip()]
    shown = [line for line in step.output if line.strip()]
    at, anywhere = 0, False
    for line in shown:
        if line.strip() == _SKIPPED:
            anywhere = True
            continue
        expected = _without_variations(line)
        places = range(at, len(actual)) if anywhere else range(at, min(at + 1, len(actual)))
        place = next((n for n in places if actual[n].startswith(expected)), None)
        if place is None:
            return line
        at, anywhere = place + 1, False
    if shown and not anywhere and at < len(actual):
        return f"(nothing more, but it prints `{actual[at]}`)"
    return None


def _without_variations(line: str) -> str:
    for pattern, name in _VARIES:
        line = pattern.sub(name if name == " " else f"<{name}>", line)
    return line.strip()
