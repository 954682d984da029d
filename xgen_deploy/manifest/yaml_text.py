"""Values as YAML that 1.1 and 1.2 read alike: text that could be anything else is quoted."""

import re
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]{0,200}")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


class _Dumper(yaml.SafeDumper):
    """Of plain values; it writes no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(value) is not None and value.lower() not in _WORDS
    style = None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(values: object) -> str:
    """Keys stay in their order; control characters are escaped."""
    text: str = yaml.dump(values, Dumper=_Dumper, sort_keys=False, width=100)
    return text


def yaml_line(value: object) -> str:
    """One value on one line; maps and lists in brackets."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, width=float("inf"), default_flow_style=True
    )
    return text.removesuffix("\n").removesuffix("\n...")
