"""Why a program did not start on a host, told from what the host printed. Pure."""

import re

from xgen_deploy.errors import UnreachableError
from xgen_deploy.log_lines import short_lines
from xgen_deploy.state.facts import INSTALL_PYTHON
from xgen_deploy.transport.command import NO_PYTHON, NO_SUDO, OLD_PYTHON, PROMPT

# What is printed, what it means, what to do; {user} logs in, {0} is the pattern's group.
_CASES = (
    (
        NO_PYTHON + r" (\S.*)",
        "there is no {0} on it",
        INSTALL_PYTHON,
    ),
    (
        NO_PYTHON,
        "no python3 was found on it",
        INSTALL_PYTHON,
    ),
    (
        OLD_PYTHON + r" (\d\S{0,40})",
        "its python3 is {0}, and 3.8 is the oldest that works",
        INSTALL_PYTHON,
    ),
    (
        NO_SUDO,
        "{user} is not root there and sudo is not installed",
        "Log in as root, or install sudo there.",
    ),
    (
        r"incorrect password attempt|[Ss]orry, try again",
        "sudo did not accept the password of {user}",
        "Run again with --ask-become-pass and the password that {user} has there.",
    ),
    (
        r"a password is required|a terminal is required|no password was provided",
        "sudo asks {user} for a password",
        "Give --ask-become-pass, or add a NOPASSWD rule for {user} there.",
    ),
    (
        r"not in the sudoers file|may not run sudo|is not allowed to (?:execute|run)",
        "{user} may not use sudo there",
        "Add a rule for {user} in /etc/sudoers.d there, or log in as another user.",
    ),
    (
        r"must have a tty",
        "sudo wants a terminal there",
        "Put «Defaults:{user} !requiretty» into /etc/sudoers.d there.",
    ),
    (
        r"(?:ModuleNotFoundError: No module named|ImportError: .{0,200}?) '?([\w.]{1,100})'?",
        "its python3 lacks the module {0}",
        INSTALL_PYTHON,
    ),
    (
        r"account is currently not available|/nologin",
        "{user} has no login shell there",
        "Log in as a user with a shell.",
    ),
    (r"No space left on device", "a disk is full there", "Make room on it."),
)


def explain(host: str, user: str, status: int, stdout: bytes, stderr: bytes) -> UnreachableError:
    """The error for a program that ended before it answered. `status` negative: not known."""
    printed = (stderr + b"\n" + stdout).decode(errors="replace").replace(PROMPT, "")
    printed = "\n".join(short_lines(printed))
    for pattern, reason, hint in _CASES:
        if found := re.search(pattern, printed):
            groups = found.groups()
            return UnreachableError(
                host, reason.format(*groups, user=user), hint.format(*groups, user=user)
            )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    said = f"and said «{lines[-1][:200]}»" if lines else "and said nothing"
    return UnreachableError(
        host,
        f"what was started there ended with status {status} {said}",
        f"Does the login shell of {user} end early, or does a ForceCommand replace commands?",
    )
