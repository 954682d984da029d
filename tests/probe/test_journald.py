"""Which hosts keep what an engine prints, by their configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.probe.gguf_writer import write
from xgen_deploy.probe.remote.journald import STREAM, journal_gap

ETC = "etc/systemd/journald.conf"
NONE = "`Storage=none` in [Journal] of /"


@pytest.mark.parametrize(
    ("files", "gap"),
    [
        ({}, None),
        ({ETC: "[Journal]\n#Storage=none\n"}, None),
        ({ETC: "[Journal]\nStorage=volatile\n"}, None),
        ({ETC: "[Journal]\nStorage = none\n"}, f"{NONE}{ETC}"),
        ({ETC: "[Elsewhere]\nStorage=none\n"}, None),
        ({f"usr/lib/{ETC[4:]}": "[Journal]\nStorage=none\n"}, f"{NONE}usr/lib/{ETC[4:]}"),
        ({f"usr/lib/{ETC[4:]}": "[Journal]\nStorage=none\n", ETC: ""}, None),
        ({f"{ETC}.d/a.conf": "[Journal]\nStorage=none\n"}, f"{NONE}{ETC}.d/a.conf"),
        (
            {
                ETC: "[Journal]\nStorage=none\n",
                f"run/{ETC[4:]}.d/a.conf": "[Journal]\nStorage=auto",
            },
            None,
        ),
        (
            {
                f"usr/lib/{ETC[4:]}.d/a.conf": "[Journal]\nStorage=none\n",
                f"{ETC}.d/a.conf": "[Journal]\n",
            },
            None,
        ),
        ({ETC: "[Journal]\nMaxLevelStore=debug\n"}, None),
        (
            {ETC: "[Journal]\nMaxLevelStore=warning\n"},
            f"`MaxLevelStore=warning` in [Journal] of /{ETC}",
        ),
        ({"etc/systemd/system.conf": "[Manager]\nDefaultStandardOutput=journal+console\n"}, None),
        (
            {"etc/systemd/system.conf": "[Manager]\nDefaultStandardOutput=null\n"},
            "`DefaultStandardOutput=null` in [Manager] of /etc/systemd/system.conf",
        ),
    ],
)
def test_what_keeps_lines_out_of_the_journal(
    files: Mapping[str, str], gap: str | None, tmp_path: Path
) -> None:
    for path, text in {STREAM[1:]: "", **files}.items():
        write(tmp_path / path, text.encode())
    assert journal_gap(str(tmp_path)) == gap


def test_no_journald_at_all(tmp_path: Path) -> None:
    assert journal_gap(str(tmp_path)) == "systemd-journald does not run"
