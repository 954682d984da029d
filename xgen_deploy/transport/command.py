"""The one command line that is ever sent to a host. Pure; the only place where quoting happens."""

import shlex
from typing import Literal

from xgen_deploy.transport.framing import MARKER, SHELL

Become = Literal["never", "auto", "ask"]

NO_PYTHON = "XGEN-NO-PYTHON"
NO_SUDO = "XGEN-NO-SUDO"
OLD_PYTHON = "XGEN-OLD-PYTHON"
PROMPT = "XGEN-SUDO-PASSWORD:"
STARTED = "XGEN-STARTED"

# Runs where there is no Python: skips to the shell program that follows the Python one on stdin.
# Like `_SCRIPT`, it has no single quote, backslash, newline or exclamation mark.
_WITHOUT_PYTHON = (
    "export LC_ALL=C; p=$1; python=; why=$2; "
    f'if [ "$3" = ask ]; then echo {STARTED}; fi; '
    f'while IFS= read -r l; do if [ "$l" = "{MARKER.decode()}" ]; then break; fi; done; '
    'n=; read -r a b c n; if [ -n "$n" ]; then '
    f'while IFS= read -r l; do if [ "$l" = "{SHELL.decode()}" ]; then '
    't=$(gzip -dc); if [ -n "$t" ]; then eval "$t"; exit; fi; fi; done; fi; '
    f'echo "{NO_PYTHON} $p" >&2; exit 127'
)

# Without quotes, backslashes, newlines and exclamation marks bash, dash, fish and csh agree on it.
_SCRIPT = (
    "p=$1; m=$2; w=$3; shift 3; export LC_ALL=C; "
    'if [ -z "$p" ]; then p=$(command -v python3 || command -v /usr/libexec/platform-python); fi; '
    'if [ -z "$p" ] || [ -z "$(command -v "$p")" ]; '
    'then y="no python3 was found"; if [ -n "$p" ]; then y="$p was not found"; fi; '
    'set -- sh -c "$w" xgen-deploy "$p" "$y" "$m"; else set -- "$p" -I -S -c "$@"; fi; '
    'if [ "$m" = never ] || [ "$(id -u)" = 0 ]; then exec "$@"; fi; '
    f'if [ -z "$(command -v sudo)" ]; then echo {NO_SUDO} >&2; exit 127; fi; '
    f'if [ "$m" = ask ]; then exec sudo -S -p {PROMPT} -- "$@"; fi; '
    'exec sudo -n -- "$@"'
)


_UNSAFE = frozenset("'\\\n!")


def arguments(code: str, *, python: str | None, become: Become) -> tuple[str, ...]:
    """The argv that runs Python source `code` on a host, as root unless `become` is "never".

    `python` None means the first python3 on the host. With "ask", sudo's prompt is PROMPT on
    stderr, and STARTED on stdout says that no further prompt will come. Raises ValueError for code
    that some shell would alter.

    Without Python the shell program that `framing.encode` appends runs instead; without one,
    NO_PYTHON is printed on stderr.
    """
    if _UNSAFE & set(code):
        raise ValueError("code for a command line holds a quote, backslash, newline or !")
    started = f'print("{STARTED}",flush=True);' if become == "ask" else ""
    script = ("sh", "-c", _SCRIPT, "xgen-deploy")
    return (*script, python or "", become, _WITHOUT_PYTHON, started + code)


def line(code: str, *, python: str | None, become: Become) -> str:
    """The same as one line for any login shell."""
    return shlex.join(arguments(code, python=python, become=become))
