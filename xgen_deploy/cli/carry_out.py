"""How `apply`, `rollback` and `destroy` go about it."""

import time

from xgen_deploy.apply.secrets import SecretResolver
from xgen_deploy.cli.job import Job
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.take import How


def carry_out(
    work: Job, settings: Settings, how: How, secrets: SecretResolver | None = None
) -> int:
    """The exit code. Every host is looked at, and those to be changed again under their locks.
    `secrets` are those that the site names, unless stated.
    """
    began = time.monotonic()
    seen = work.observe(then=("xgen_deploy.cli.applying", "rich.console"))
    from xgen_deploy.cli.applying import Applying

    return Applying(work, settings, how, secrets or SecretResolver(work.site)).go(seen, began)
