"""A secret that was delivered is read back as it was: every file's quoting and its inverse."""

import json
import subprocess
from pathlib import Path

import pytest

from xgen_deploy.backends.base import KeyFile
from xgen_deploy.backends.registry import ENGINES
from xgen_deploy.render import unquoting
from xgen_deploy.render.templates import Templates
from xgen_deploy.run.template_files import read_templates
from xgen_deploy.watchdog import remote as watchdog

TEMPLATES = Templates(read_templates())
KEY_FILES = {e.api_key for e in ENGINES if isinstance(e.api_key, KeyFile)}
KEYS = (
    "sk-plain",
    "'",
    "''",
    '"',
    "\\",
    "a'\\''b",
    "$HOME`id`%h",
    '"];x:["',
    "<&>{{x}}{#",
    "!~" * 256,
)
VALUES = (
    *KEYS,
    "two words",
    "first\nsecond",
    "\ttab\t",
    "\nX='1'\nY=\"2\"\n",
    "end\\",
    "ü日本\u2028",
    "a\\\nb",
    "#no",
    "",
)


@pytest.mark.parametrize("value", VALUES)
def test_a_variable_is_read_back_from_systemd_s_file(value: str) -> None:
    text = TEMPLATES.text("instance.env.j2", {"env": [("A", "1"), ("S", value), ("Z", "2")]})
    assert unquoting.environment_values(text) == {"A": "1", "S": value, "Z": "2"}


@pytest.mark.parametrize("value", VALUES)
def test_a_variable_is_read_back_from_the_file_that_a_shell_sources(value: str) -> None:
    text = TEMPLATES.text("shell.env.j2", {"env": [("A", "1"), ("S", value), ("Z", "2")]})
    assert unquoting.shell_values(text) == {"A": "1", "S": value, "Z": "2"}


@pytest.mark.parametrize("value", VALUES)
def test_a_variable_is_read_back_from_the_process_runtime_s_file(value: str) -> None:
    text = json.dumps({"argv": ["x"], "env": {"S": value}}, indent=1, ensure_ascii=False)
    assert unquoting.start_values(text) == {"S": value}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_read_back_from_each_engine_s_file_and_from_the_gateway_s(key: str) -> None:
    for file in KEY_FILES:
        text = TEMPLATES.text(file.template, {"key": key})
        assert unquoting.key_in(text, file.pattern) == key
        assert watchdog.key_in(text, file.pattern) == key
    keys = TEMPLATES.text("haproxy-keys.cfg.j2", {"keys": [("XGEN_A", key), ("XGEN_B", "b")]})
    assert unquoting.haproxy_values(keys) == {"XGEN_A": key, "XGEN_B": "b"}


@pytest.mark.parametrize("text", ["", "x", "api-key: x", 'api-key: ["', "[" * 9000, "{}", "A='"])
def test_what_is_no_file_of_ours_holds_no_value(text: str) -> None:
    assert unquoting.environment_values(text) == {}
    assert unquoting.shell_values(text) == {}
    assert unquoting.haproxy_values(text) == {}
    assert unquoting.start_values(text) == {}
    for file in KEY_FILES:
        assert file.pattern is None or unquoting.key_in(text, file.pattern) is None


@pytest.mark.parametrize("value", VALUES)
def test_a_shell_gives_an_engine_the_value_to_the_letter(value: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text(TEMPLATES.text("shell.env.j2", {"env": [("S", value)]}))
    script = f"set -a; . {tmp_path}/env; set +a; exec printenv -0 S"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert done.stdout == value.encode() + b"\0"
