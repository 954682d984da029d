"""Starts an engine under the process runtime: `python -I -m xgen_deploy.launch FILE`.

FILE is JSON (0600): {"argv": […], "env": {…}}, which keeps secrets out of the supervisor's
configuration and off command lines. Uses only the standard library. Supervisors on hosts run this
module by its name, so it stays where it is.
"""

import ctypes
import json
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # Linux: prctl(2); it outlives execve


def main() -> None:
    """Replaces this process with the engine; exits with 127 if the program cannot be run."""
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
    """An engine that outlives a killed supervisor would keep its port from the next one."""
    if sys.platform != "linux":
        return
    supervisor = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))
    if os.getppid() != supervisor:
        sys.exit(1)


if __name__ == "__main__":
    main()
