"""What a text for strangers must not have: secrets and prompts, and where it is asked for, names.
Pure.
"""

import re
from collections.abc import Iterable

from xgen_deploy.hidden_values import without_hidden

_LEFT_OUT = "<left out>"
_USER_IN_URL = re.compile(r"(?<!\w)(\w+://)[^/\s@]{1,200}@")
_QUERY_IN_URL = re.compile(r"(?<!\w)(\w+://[^\s?#'\"]{1,500})[?#][^\s'\"]*")
# In a sentence: the key secret-1234 was refused.
_SAID = re.compile(
    r"(?i)((?:api[_-]?key|token|secret|passw(?:or)?d|authorization)[\w-]{0,20}[, ]\s{0,3}"
    r"(?:bearer\s{1,3})?)([^\s'\",<]{6,})"
)
_PROMPT = re.compile(
    r"(?i)\b((?:prompts?|messages?|content|input|query|documents?)['\"]?\s{0,3}[:=]\s{0,3}).*$"
)
# A line of a plan's difference, of a variable or of a file of variables; what else has values.
_VARIABLE = re.compile(r"^(\s*(?:env\.\S+|\S*\benv:\d+)\s+).*$")
_IN_UNIT = re.compile(r"(?i)\b(Environment=).*$")
_FOR_CONTAINER = re.compile(r"(?<!\S)(--env[ =]|-e )[\"']?(\w+)=(?:\"[^\"]*\"|'[^']*'|\S+)")

# Not the time that llama-server begins its lines with.
_ADDRESS = re.compile(
    r"(?<![\w.])[1-9]\d{0,2}(?:\.(?:0|[1-9]\d{0,2})){3}(?!\w|\.\w)"
    r"|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}(?!\w|[:.]\w)"
)
_LOOPBACK = re.compile(r"127\.0\.0\.1|::1?")
# Not those of HTTP that the tool itself speaks of.
_PATH = re.compile(r"(?<![\w/.])~?/(?!(?:v1|health|metrics)\b)[\w@+.=-]+(?:/[\w@+.=-]+)*")
# Of a manifest, an inventory or a plan, as it was named: one's name often is a customer's.
_FILE = re.compile(r"(?<![\w./@+-])[\w@+-][\w@+./-]{0,200}\.(?:ya?ml|json)(?![\w-])")
_CARD = re.compile(r"(?:GPU|MIG)-[0-9a-f]{8}(?:-[0-9a-f]{4,12}){0,4}")


def without_secrets(text: str) -> str:
    """Also without what was asked of a model and what it answered."""
    text = _IN_UNIT.sub(rf"\g<1>{_LEFT_OUT}", _VARIABLE.sub(rf"\g<1>{_LEFT_OUT}", text))
    text = _FOR_CONTAINER.sub(rf"\g<1>\g<2>={_LEFT_OUT}", text)
    text = _QUERY_IN_URL.sub(r"\1", _USER_IN_URL.sub(r"\1", text))
    text = _SAID.sub(rf"\g<1>{_LEFT_OUT}", without_hidden(text, _LEFT_OUT))
    return _PROMPT.sub(rf"\g<1>{_LEFT_OUT}", text)


# Of a name; in the tool's own name it stays.
_BEGIN = r"(?<![\w.])(?!(?<=xgen-)deploy(?!\w))"


class Pseudonyms:
    """One for each name, the same everywhere: `host-1`, `user-2`, `address-1`, `/path-3.gguf`."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._words: re.Pattern[str] | None = None

    def add(self, kind: str, names: Iterable[str | None]) -> None:
        """Names that are replaced wherever they stand alone."""
        words = [name for name in names if name and name != "root"]
        for name in words:
            self._named(kind, name)
        longest = sorted(filter(_stands_alone, self._names), key=len, reverse=True)
        known = "|".join(map(re.escape, longest))
        self._words = re.compile(rf"{_BEGIN}(?:{known})(?!\w)") if longest else None

    def apply(self, text: str) -> str:
        text = _FILE.sub(self._file, _PATH.sub(self._path, text))
        text = _CARD.sub(lambda m: self._named("card", m[0]), text)
        if self._words is not None:
            text = self._words.sub(lambda m: self._names[m[0]], text)
        return _ADDRESS.sub(self._address, text)

    def _named(self, kind: str, name: str, suffix: str = "") -> str:
        if name not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[name] = f"{kind}-{self._counts[kind]}{suffix}"
        return self._names[name]

    def _path(self, match: re.Match[str]) -> str:
        return "/" + self._file(match)

    def _file(self, match: re.Match[str]) -> str:
        ending = re.search(r"\.[A-Za-z]{1,12}$", match[0])
        return self._named("path", match[0], ending[0] if ending else "")

    def _address(self, match: re.Match[str]) -> str:
        if _LOOPBACK.fullmatch(match[0]):
            return match[0]
        return self._named("address", match[0])


def _stands_alone(name: str) -> bool:
    return not name.startswith(("/", "~"))
