"""Why a program did not start on a host, from the host's output. Pure."""

import re

from xgen_deploy.errors import UnreachableError
from xgen_deploy.log_lines import short_lines
from xgen_deploy.state.host_python import INSTALL_PYTHON, TOO_OLD
from xgen_deploy.transport.command import NO_PYTHON, NO_SUDO, OLD_PYTHON, PROMPT

# A pattern in the output, the reason, the hint; {user} is the login, {0} the pattern's group.
_CASES = (
    (
        NO_PYTHON + r" (\S.*)",
        "{0} was not found",
        INSTALL_PYTHON,
    ),
    (
        NO_PYTHON,
        "no python3 was found",
        INSTALL_PYTHON,
    ),
    (
        OLD_PYTHON + r" (\d\S{0,40})",
        TOO_OLD % "{0}",
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
        "Give --ask-become-pass, or add a NOPASSWD rule for {user} there: the narrowest that is "
        "enough is in docs/security.md.",
    ),
    (
        r"is not allowed to execute",
        "sudo does not let {user} run Python as root there",
        "Add the rule of docs/security.md for {user} in /etc/sudoers.d there.",
    ),
    (
        r"not in the sudoers file|may not run sudo|is not allowed to run",
        "{user} may not use sudo there",
        "Add a rule for {user} in /etc/sudoers.d there, or log in as another user.",
    ),
    (
        r"must have a tty",
        "sudo requires a terminal there",
        "Add `Defaults:{user} !requiretty` to a file in /etc/sudoers.d there.",
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
    (r"No space left on device", "a disk is full there", "Free some space there."),
)


def explain(host: str, user: str, status: int, stdout: bytes, stderr: bytes) -> UnreachableError:
    """The error for a program that ended before it answered. A negative `status` is unknown."""
    printed = (stderr + b"\n" + stdout).decode(errors="replace").replace(PROMPT, "")
    printed = "\n".join(short_lines(printed))
    for pattern, reason, hint in _CASES:
        if match := re.search(pattern, printed):
            groups = match.groups()
            return UnreachableError(
                host, reason.format(*groups, user=user), hint.format(*groups, user=user)
            )
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    output = f"printed `{lines[-1][:200]}`" if lines else "printed nothing"
    return UnreachableError(
        host,
        f"the program started there exited with status {status} and {output}",
        f"Check whether the login shell of {user} exits early or a ForceCommand replaces commands.",
    )
