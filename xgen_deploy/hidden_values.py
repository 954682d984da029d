"""What looks like a secret in a text, replaced before anybody sees it. Pure."""

import re

_QUOTED = r"\"[^\"]*\"|'[^']*'"
_WORDS = (
    r"(?:api[_-]?key|token|secret|passw(?:or)?d|passphrase|pwd|credential|authorization"
    r"|(?:pass|auth|key)(?=[\"']?=))"
)
_NAME = rf"[\w.-]{{0,40}}{_WORDS}[\w.-]{{0,40}}"
_SCHEME = r"(?:(?:basic|bearer|digest|token)\s{1,3})?"
# `"HF_TOKEN=two words"`, the quotes around both.
_IN_QUOTES = re.compile(rf"(?i)([\"'])({_NAME}\s?[=:]\s?)(?:(?!\1).)+(?=\1)")
# `token=VALUE`, `"password": "VALUE"`, `Authorization: Bearer VALUE`; a count is none.
_STATED = re.compile(
    rf"(?i)({_NAME}[\"']?\s{{0,3}}[=:]\s{{0,3}}{_SCHEME})(?!\d+(?![^\s,;.)]))({_QUOTED}|[^\s\"']+)"
)
_OPTION = re.compile(rf"(?i)((?<!\S)--?(?:{_NAME}|[\w-]{{0,40}}key)\s{{1,3}})({_QUOTED}|[^\s\"']+)")
_KNOWN = re.compile(
    r"\b(?:(?:sk-|hf_|gh[pousr]_|glpat-|AKIA|xox[abps]-)[\w-]{8,}|eyJ[\w-]{8,}(?:\.[\w-]+){1,2})"
)
_USER_IN_URL = re.compile(r"(?<!\w)(\w+://)[^/\s@]{1,200}@")


def without_hidden(text: str, mark: str) -> str:
    """With `mark` in place of values that are named as secrets are, or known by their beginning."""
    text = _IN_QUOTES.sub(rf"\1\g<2>{mark}", text)
    text = _OPTION.sub(rf"\g<1>{mark}", _STATED.sub(rf"\g<1>{mark}", text))
    return _KNOWN.sub(mark, _USER_IN_URL.sub(rf"\g<1>{mark}@", text))
