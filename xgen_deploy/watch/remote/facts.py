"""What root alone can see of a project on its host, collected once a minute by a timer.

Written for the exporter, which runs without rights, and, where the manifest asks for it, for a node
exporter's folder of text files.
"""

from __future__ import annotations

import os
import time
from typing import Any, Callable

from xgen_deploy.bounded_json import read_json
from xgen_deploy.probe.remote.reading import read_text
from xgen_deploy.watch.remote.certificates import certificate_samples
from xgen_deploy.watch.remote.changes import change_samples, maintenance_samples
from xgen_deploy.watch.remote.disks import disk_samples
from xgen_deploy.watch.remote.instances import instance_samples
from xgen_deploy.watch.remote.samples import Sample
from xgen_deploy.watch.remote.settings import read_settings
from xgen_deploy.watch.remote.sources import Answer
from xgen_deploy.watch.remote.stored_facts import read_state, write_aside, write_facts
from xgen_deploy.watch.remote.watchdog_state import watchdog_samples
from xgen_deploy.watch.remote.xid import xid_samples

RECORD = 64 << 20

Facts = Callable[[], "list[Sample]"]


def collect_facts(settings_path: str) -> None:
    """Raises OSError and ValueError where nothing can be told at all."""
    settings = read_settings(settings_path)
    path = settings["facts"]
    state = read_state(path)
    samples = facts(settings, state)
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    write_facts(path, samples, time.time(), state)
    if settings["textfile"]:
        _guarded("text file", lambda: write_text_file(settings, samples))


def facts(settings: dict[str, Any], state: dict[str, Any]) -> list[Sample]:
    """A part that fails says so in the journal and costs its own samples. `state` is what parts
    remember from run to run, and is changed."""
    record = read_record(settings["record"])
    parts: tuple[tuple[str, Facts], ...] = (
        ("instances", lambda: instance_samples(settings, record)),
        ("watchdog", lambda: watchdog_samples(settings, record)),
        ("change", lambda: change_samples(settings)),
        ("maintenance", lambda: maintenance_samples(record, time.time())),
        ("certificates", lambda: certificate_samples(settings["certificates"])),
        ("disks", lambda: disk_samples(settings["folders"])),
        ("kernel log", lambda: xid_samples(state)),
    )
    return [each for name, part in parts for each in _guarded(name, part)]


def read_record(path: str) -> dict[str, Any]:
    """Raises ValueError: without it nothing is known of the project."""
    record = read_json(read_text(path, RECORD + 1) or "", RECORD)
    if not isinstance(record, dict):
        raise ValueError(f"{path} is no record")
    return record


def write_text_file(settings: dict[str, Any], samples: list[Sample]) -> list[Sample]:
    """The whole page, as the exporter would serve it; nothing more for the facts."""
    from xgen_deploy.watch.remote.page import Page  # only where it was asked for

    at = time.time()
    page = Page(settings, None, lambda: Answer(samples, None, at))
    name = f"xgen-{settings['project']}.prom"
    write_aside(os.path.join(settings["textfile"], name), page.text())
    return []


def _guarded(name: str, part: Facts) -> list[Sample]:
    try:
        return part()
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
        return []
