"""The value of a plain YAML scalar: in YAML 1.2's core schema, and in YAML 1.1, as in Ansible."""

import re
from collections.abc import Callable
from typing import Any

import yaml

from xgen_deploy.manifest.node import Value

Resolve = Callable[[str], Value]

_CORE_WORDS: dict[str, Value] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,40}")
_OCTAL = re.compile(r"0o[0-7]{1,40}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")


def core(text: str) -> Value:
    """YAML 1.2 core: `no`, `22:30` and `0000:41:00.0` are text."""
    if text in _CORE_WORDS:
        return _CORE_WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITY.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def yaml11(text: str) -> Value:
    """YAML 1.1 by PyYAML's own rules; dates stay text."""
    resolver: Any = yaml.resolver.Resolver()
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    if tag == "tag:yaml.org,2002:timestamp":
        return text
    return by_tag(tag, text)


def by_tag(tag: str, text: str) -> Value:
    """The value of a scalar with one of YAML's own tags; its text where that fails."""
    try:
        node = yaml.ScalarNode(tag, text)
        value = yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, KeyError, IndexError):
        return text
    return value if isinstance(value, str | int | float | bool | None) else text
