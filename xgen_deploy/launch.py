"""Becomes an engine: `python -I -m xgen_deploy.launch FILE`, for the process runtime.

FILE is JSON (0600): {"argv": […], "env": {…}}. Secrets stay out of the supervisor's
configuration and off every command line this way. Only the standard library is used.
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # Linux: prctl(2); it outlives execve


def main() -> None:
    """Replaces this process by the engine; a missing program is a line on stderr and status 127."""
    with open(sys.argv[1], encoding="utf-8") as file:
        start = json.load(file)
    argv = [str(a) for a in start["argv"]]
    _end_with_supervisor()
    try:
        os.execve(argv[0], argv, {**os.environ, **start["env"]})
    except OSError as error:
        print(f"cannot run {argv[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(127)


def _end_with_supervisor() -> None:
    """An engine that outlived a killed supervisor would hold its port against the next one."""
    if sys.platform != "linux":
        return
    supervisor = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != supervisor:
        sys.exit(1)


if __name__ == "__main__":
    main()
