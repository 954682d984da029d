"""An edit of a manifest that a saved plan carries: it is written once the hosts are locked."""

from xgen_deploy.frozen import Frozen


class ManifestEdit(Frozen):
    """The whole file `before` and `after`, to the byte; `author` is a user of `serve`, and
    `message` what the edit is, for Git where the manifest is in a checkout."""

    before: str
    after: str
    author: str
    message: str
