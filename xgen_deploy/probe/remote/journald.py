"""What keeps the lines of a unit out of the journal, by the configuration of this host."""

from __future__ import annotations

import glob
import os

from xgen_deploy.probe.remote.reading import read_text

FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
STREAM = "/run/systemd/journal/stdout"
# Of severity `info` and less, which is what services print.
KEPT = ("info", "debug", "6", "7")


def journal_gap(root: str = "") -> str | None:
    """The setting with its file, or why there is no journal; None where lines are kept."""
    for path, section, key, value in _settings(root):
        lost = {
            "Storage": value == "none",
            "MaxLevelStore": value not in KEPT,
            "DefaultStandardOutput": not value.startswith(("journal", "syslog", "inherit")),
        }
        if lost[key]:
            return f"`{key}={value}` in [{section}] of {path}"
    return None if os.path.exists(root + STREAM) else "systemd-journald does not run"


def _settings(root: str) -> list[tuple[str, str, str, str]]:
    """File, section, key and value of each setting that matters, where it was set last."""
    last: dict[str, tuple[str, str, str, str]] = {}
    for name, section, keys in (
        ("journald.conf", "[Journal]", ("Storage", "MaxLevelStore")),
        ("system.conf", "[Manager]", ("DefaultStandardOutput",)),
    ):
        for path in _files(root, name):
            inside = False
            for line in (read_text(root + path) or "").splitlines():
                text = line.strip()
                inside = text == section if text.startswith("[") else inside
                key, _, value = (part.strip() for part in text.partition("="))
                if inside and key in keys and value:
                    last[key] = (path, section.strip("[]"), key, value)
    return list(last.values())


def _files(root: str, name: str) -> list[str]:
    """As systemd reads them (systemd-system.conf(5)): the first main file, then the drop-ins by
    their names, of several with one name the first."""
    main = next((f"{d}/{name}" for d in FOLDERS if os.path.exists(f"{root}{d}/{name}")), None)
    drop_ins: dict[str, str] = {}
    for folder in FOLDERS:
        for path in glob.glob(f"{root}{folder}/{name}.d/*.conf"):
            drop_ins.setdefault(os.path.basename(path), path[len(root) :])
    return [*([main] if main else []), *(drop_ins[n] for n in sorted(drop_ins))]
