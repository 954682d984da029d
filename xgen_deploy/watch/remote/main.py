"""Two programs in one source: `exporter` serves the page, `facts` collects what root alone sees.

python3 -I exporter.py exporter    with systemd's socket and credentials
python3 -I exporter.py facts SETTINGS
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Sequence

FIRST_SOCKET = 3
IDLE = 300.0


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["exporter"] and len(arguments) == 1:
        _exporter()
    elif arguments[:1] == ["facts"] and len(arguments) == 2:
        from xgen_deploy.watch.remote.facts import collect_facts

        collect_facts(arguments[1])
    else:
        sys.exit("usage: exporter.py exporter, or exporter.py facts SETTINGS")


def _exporter() -> None:
    from xgen_deploy.watch.remote.page import Page
    from xgen_deploy.watch.remote.server import Server, tls_context
    from xgen_deploy.watch.remote.settings import read_settings
    from xgen_deploy.watch.remote.stored_facts import read_facts

    folder = os.environ["CREDENTIALS_DIRECTORY"]
    if os.environ.get("LISTEN_FDS") != "1":
        sys.exit("it is started by its socket: systemctl start xgen-PROJECT-exporter.socket")
    settings = read_settings(os.path.join(folder, "settings"))
    context = tls_context(os.path.join(folder, "tls.pem"))
    page = Page(settings, folder, lambda: read_facts(settings["facts"]))
    idle = float(os.environ.get("IDLE_SECONDS", IDLE))
    Server(context, settings["token_sha256"], page.text, idle).serve(
        socket.socket(fileno=FIRST_SOCKET)
    )
