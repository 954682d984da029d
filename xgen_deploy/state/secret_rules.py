"""What a secret may contain. Pure. A problem is described without the value."""

from unicodedata import category

from xgen_deploy.secret_text import Kind, SecretText

MAX_KEY = 512
# The kernel's limit for one variable, its name included (MAX_ARG_STRLEN).
MAX_ENV = (128 << 10) - 1024
_IN_ENV = "\n\t"


def secret_problem(value: SecretText, kind: Kind) -> str | None:
    """What is wrong with a value for its use, as a clause; None where it is fine.

    A key goes into an HTTP header and a line of a file; llama-server takes a line of its key file
    that begins with `#` for a comment. In a variable, newline and tab are delivered as they are.
    """
    text = value.reveal()
    if not text:
        return "is empty"
    if any(category(c) == "Cs" for c in text):
        return "is not UTF-8 text"
    allowed = _IN_ENV if kind == "env" else ""
    if any(category(c) == "Cc" and c not in allowed for c in text):
        return "holds a control character" if kind == "env" else _control(text)
    if kind == "env":
        return "is longer than a variable can be" if len(text.encode()) > MAX_ENV else None
    if any(map(str.isspace, text)):
        return "holds a blank"
    if not text.isascii():
        return "holds a letter outside ASCII"
    return _key_problem(text) if kind == "key" else None


def _control(text: str) -> str:
    return "holds a line break" if "\n" in text or "\r" in text else "holds a control character"


def _key_problem(text: str) -> str | None:
    if text.startswith("#"):
        return "begins with `#`, which engines take for a comment"
    return f"is longer than {MAX_KEY} characters" if len(text) > MAX_KEY else None
