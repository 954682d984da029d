"""The one command line that is ever sent to a host. Pure; the only place where quoting happens."""

import shlex
from typing import Literal

Become = Literal["never", "auto", "ask"]

NO_PYTHON = "XGEN-NO-PYTHON"
NO_SUDO = "XGEN-NO-SUDO"
OLD_PYTHON = "XGEN-OLD-PYTHON"
PROMPT = "XGEN-SUDO-PASSWORD:"
STARTED = "XGEN-STARTED"

# No quote, backslash, newline or exclamation mark: bash, dash, fish and csh then agree on it.
_SCRIPT = (
    "p=$1; m=$2; shift 2; export LC_ALL=C; "
    'if [ -z "$p" ]; then p=$(command -v python3 || command -v /usr/libexec/platform-python); fi; '
    'if [ -z "$p" ] || [ -z "$(command -v "$p")" ]; '
    f'then echo "{NO_PYTHON} $p" >&2; exit 127; fi; '
    'if [ "$m" = never ] || [ "$(id -u)" = 0 ]; then exec "$p" -I -c "$@"; fi; '
    f'if [ -z "$(command -v sudo)" ]; then echo {NO_SUDO} >&2; exit 127; fi; '
    f'if [ "$m" = ask ]; then exec sudo -S -p {PROMPT} -- "$p" -I -c "$@"; fi; '
    'exec sudo -n -- "$p" -I -c "$@"'
)


_UNSAFE = frozenset("'\\\n!")


def arguments(code: str, *, python: str | None, become: Become) -> tuple[str, ...]:
    """The argv that runs Python source `code` on a host, as root unless `become` is "never".

    `python` None means the first python3 there. With "ask", sudo's prompt is PROMPT on stderr,
    and STARTED on stdout says that nobody will ask any more. Raises ValueError for code that not
    every shell would leave alone.
    """
    if _UNSAFE & set(code):
        raise ValueError("code for a command line holds a quote, backslash, newline or !")
    started = f'print("{STARTED}",flush=True);' if become == "ask" else ""
    checked = (
        f'import sys;sys.version_info>=(3,8)or sys.exit("{OLD_PYTHON} "+sys.version.split()[0]);'
        f"{started}{code}"
    )
    return ("sh", "-c", _SCRIPT, "xgen-deploy", python or "", become, checked)


def line(code: str, *, python: str | None, become: Become) -> str:
    """The same as one line for a login shell, whichever shell that is."""
    return shlex.join(arguments(code, python=python, become=become))
