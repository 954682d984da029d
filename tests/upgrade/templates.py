"""The templates that shape a unit, with their digests. `python -m tests.upgrade.templates` writes
them down anew.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from xgen_deploy.render.unit_version import UNIT_VERSION
from xgen_deploy.run.template_files import read_templates

KEPT = Path(__file__).with_name("templates.sha256")
# What is renewed without stopping anything: the gateway's configuration, the watchdog, put-back.
NO_UNIT = ("haproxy", "put-back", "watchdog")


def digests() -> str:
    """As `sha256sum` prints them, after the version that they are of."""
    texts = {n: t for n, t in read_templates().items() if n.endswith(".j2")}
    shaping = sorted(n for n in texts if not n.startswith(NO_UNIT))
    lines = [f"{sha256(texts[n].encode()).hexdigest()}  {n}" for n in shaping]
    return "\n".join([f"# unit version {UNIT_VERSION}", *lines, ""])


if __name__ == "__main__":
    KEPT.write_text(digests())
