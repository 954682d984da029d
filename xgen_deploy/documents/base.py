"""The base of every document that a command prints with --json."""

from xgen_deploy.documents.error_entry import ErrorEntry
from xgen_deploy.frozen import Frozen


class Document(Frozen):
    """Keys are only ever added. All may be None, for an error that ends a command before they are
    known. `errors` says what went wrong; what concerns a host is told under that host too.
    """

    errors: tuple[ErrorEntry, ...] = ()
