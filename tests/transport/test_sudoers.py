"""The rule for sudo that docs/security.md gives is for the very command that the tool runs."""

import re
from pathlib import Path

from xgen_deploy.transport.command import arguments
from xgen_deploy.transport.framing import STUB

_SECURITY = Path(__file__).parents[2] / "docs" / "security.md"
# sudoers(5): the first four end or split an argument, the others are wildcards.
_ESCAPED = re.compile(r"([,:=\\*?\[\]!])")


def documented_rule() -> str:
    (line,) = (
        found
        for found in _SECURITY.read_text(encoding="utf-8").splitlines()
        if found.startswith("deploy ALL=(root) NOPASSWD: /usr/bin/python3")
    )
    return line


def test_the_documented_rule_is_for_the_command_that_is_run() -> None:
    code = arguments(STUB, python=None, become="auto")[-1]
    escaped = _ESCAPED.sub(r"\\\1", code)
    rule = f"deploy ALL=(root) NOPASSWD: /usr/bin/python3 -I -S -c {escaped}"
    assert documented_rule() == rule
