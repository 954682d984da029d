"""The lines of a file that was edited by hand, against those that were written. Pure.

What somebody typed into a unit may be a secret: values that look like one are not shown.
"""

from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from itertools import zip_longest
from posixpath import basename

from xgen_deploy.hidden_values import without_hidden
from xgen_deploy.plan.file_drift import FileDrift, is_reproducible
from xgen_deploy.render.rendered import Rendered
from xgen_deploy.state.facts import EditedFile
from xgen_deploy.state.plan import FieldDiff
from xgen_deploy.visible import on_one_line

_MOST = 12
_WIDTH = 160
_GAP = "..."
_HIDDEN = "***"
# Of a line so much is looked at.
_LONGEST = 8000


def hand_edits(
    drifts: Iterable[FileDrift],
    rendered: Rendered,
    written: dict[str, str],
    edited: Iterable[EditedFile],
) -> tuple[FieldDiff, ...]:
    """What the files say, and what they are to say again; none for files with secrets, nor where
    an older version of this tool wrote them. `written` as in `file_drift`."""
    if not is_reproducible(rendered, written):
        return ()
    texts = {f.path: f.content for f in (*rendered.files, rendered.definition) if not f.secret}
    paths = [d.path for d in drifts if d.content and not d.secret]
    diff: list[FieldDiff] = []
    for file in edited:
        drop_in = next((p for p in paths if file.path.startswith(f"{p}/")), None)
        if file.lines is not None and (file.path in paths or drop_in):
            text = "" if drop_in else texts.get(file.path, "")
            diff += _lines(basename(file.path), list(file.lines), _split(text))
    more = len(diff) - _MOST
    if more > 0:
        diff = [*diff[:_MOST], FieldDiff(path=_GAP, before=f"{more} more", after=f"{more} more")]
    return tuple(diff)


def _split(text: str) -> list[str]:
    return [on_one_line(line) for line in text.split("\n")]


def _lines(name: str, now: list[str], then: list[str]) -> Iterator[FieldDiff]:
    matcher = SequenceMatcher(None, now, then, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            continue
        pairs = zip_longest(now[first:last], then[start:end])
        for number, (before, after) in enumerate(pairs, first + 1):
            if before or after:
                shown = _shown(before, after)
                yield FieldDiff(path=f"{name}:{number}", before=shown[0], after=shown[1])


def _shown(before: str | None, after: str | None) -> tuple[str | None, str | None]:
    """Of a long line with a small change, the words around the change."""
    if before is None or after is None:
        return _cut(_masked(before)), _cut(_masked(after))
    old, new = _words(_masked(before)), _words(_masked(after))
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    tail = 0
    while tail < min(len(old), len(new)) - same and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return _around(old, same, tail), _around(new, same, tail)


def _words(line: str | None) -> list[str]:
    return (line or "").split(" ")


def _around(words: list[str], same: int, tail: int) -> str:
    """With the word before the change, which often is the option that it belongs to."""
    first, last = max(0, same - 1), min(len(words), len(words) - tail + 1)
    shown = " ".join(words[first:last])
    start, end = (f"{_GAP} " if first else ""), (f" {_GAP}" if last < len(words) else "")
    return f"{start}{_cut(shown)}{end}"


def _masked(line: str | None) -> str | None:
    return None if line is None else without_hidden(line[:_LONGEST], _HIDDEN)


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= _WIDTH else f"{text[:_WIDTH]}{_GAP}"
