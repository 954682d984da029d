"""Ansible's host ranges: `gpu[01:16]`, `rack-[a:c]`, `n[0:10:2]`."""

import re
import string
from itertools import product

MAX_HOSTS = 10_000
_RANGE = re.compile(r"\[([^\[\]:]*):([^\[\]:]*)(?::([^\[\]:]*))?\]")


def expanded(pattern: str) -> list[str]:
    """Every host name that a pattern stands for. Raises ValueError with a sentence."""
    pieces: list[list[str]] = []
    end = 0
    total = 1
    for match in _RANGE.finditer(pattern):
        values = _values(match[1], match[2], match[3] or "1", pattern)
        total *= len(values)
        if total > MAX_HOSTS:
            raise ValueError(f"{pattern} stands for more than {MAX_HOSTS} hosts")
        pieces += [[pattern[end : match.start()]], values]
        end = match.end()
    return ["".join(parts) for parts in product(*pieces, [pattern[end:]])]


def _values(first: str, last: str, step: str, pattern: str) -> list[str]:
    wrong = ValueError(f"{pattern}: a range is `[01:16]` or `[a:c]`, lower end first")
    if not step.isdecimal() or int(step) < 1 or not last:
        raise wrong
    letters = string.ascii_letters
    if len(first) == len(last) == 1 and first in letters and last in letters:
        chosen = letters[letters.index(first) : letters.index(last) + 1 : int(step)]
        if not chosen:
            raise wrong
        return list(chosen)
    first = first or "0"
    if not (first.isdecimal() and last.isdecimal()) or max(len(first), len(last)) > 9:
        raise wrong
    if first.startswith("0") and len(first) > 1 and len(first) != len(last):
        raise ValueError(f"{pattern}: with leading zeros both ends of a range have the same length")
    width = len(first) if first.startswith("0") else 0
    numbers = range(int(first), int(last) + 1, int(step))
    if not numbers:
        raise wrong
    if len(numbers) > MAX_HOSTS:
        raise ValueError(f"{pattern} stands for more than {MAX_HOSTS} hosts")
    return [str(number).zfill(width) for number in numbers]
