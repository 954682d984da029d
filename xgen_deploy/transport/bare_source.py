"""Python source as it travels: without docstrings, whole-line comments and empty lines. Pure."""

import re

_DOCSTRING = re.compile(r'^( *)"""(?:(?!""").)*"""\n', re.MULTILINE | re.DOTALL)
_NOT_CODE = re.compile(r"^ *(?:#.*)?\n", re.MULTILINE)


def bare(source: str) -> str:
    """The same program: what begins a line with three quotes is a docstring in our sources."""
    return _NOT_CODE.sub("", _DOCSTRING.sub(r'\1""\n', source))
