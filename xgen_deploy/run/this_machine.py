"""This machine as the control node."""

import os
import sys
from pathlib import Path

from xgen_deploy.state.control_node import ControlNode


def this_machine() -> ControlNode:
    home = str(Path.home())
    stated = os.environ.get("XDG_STATE_HOME", "")
    state_home = stated if stated.startswith("/") else f"{home}/.local/state"
    return ControlNode(home, state_home, sys.executable)
