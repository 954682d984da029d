"""Splices of a text, and its lines."""

from collections.abc import Sequence
from dataclasses import dataclass


class CannotEdit(Exception):
    """Says why the text cannot be edited in place."""


@dataclass(frozen=True)
class Splice:
    start: int
    end: int
    text: str = ""


def spliced(text: str, splices: Sequence[Splice]) -> str:
    for splice in sorted(splices, key=lambda splice: (splice.start, splice.end), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def line_end(text: str) -> str:
    """What ends this text's lines."""
    at = text.find("\n")
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"


def line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def column(text: str, at: int) -> int:
    return at - line_start(text, at)


def next_line(text: str, at: int) -> int:
    """Where the line after the one with the last character before `at` begins."""
    if at and text[at - 1] == "\n":
        return at
    end = text.find("\n", at)
    return len(text) if end < 0 else end + 1


def begins_line(text: str, at: int) -> bool:
    return not text[line_start(text, at) : at].strip(" ")


def lines_after(text: str, at: int, lines: Sequence[str]) -> Splice:
    """New lines under the one in which `at` is."""
    eol, place = line_end(text), next_line(text, at)
    if place == len(text) and not text.endswith("\n"):
        return Splice(place, place, "".join(eol + line for line in lines))
    return Splice(place, place, "".join(line + eol for line in lines))


def lines_instead(text: str, start: int, end: int, lines: Sequence[str]) -> Splice:
    """Other lines for those from the one of `start` to the one of `end`."""
    after = len(text[: next_line(text, end)].rstrip("\r\n"))
    return Splice(line_start(text, start), after, line_end(text).join(lines))


def whole_lines(text: str, start: int, end: int) -> Splice:
    """Takes out the lines from the one of `start` to the one before `end`."""
    first, after = line_start(text, start), next_line(text, end)
    if after == len(text) and not text.endswith("\n") and first:
        eol = line_end(text)
        first -= len(eol) if text.endswith(eol, 0, first) else 1
    return Splice(first, after)


def refuse_comments(text: str, start: int, end: int) -> None:
    """Raises CannotEdit where a comment would go with what is taken out."""
    for line in text[start:end].split("\n"):
        if line.lstrip().startswith("#") or " #" in line:
            raise CannotEdit("a comment stands between what has to change")
