"""What `serve` runs over: the manifest of the command line, read again whenever it changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xgen_deploy.audit.actor import actor
from xgen_deploy.cli.opening import read_site, run_for
from xgen_deploy.cli.options import Settings
from xgen_deploy.manifest.users_file import read_users
from xgen_deploy.run.run import Run
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.settings import Asked, serve_settings
from xgen_deploy.state.site import Site


def serve_context(
    settings: Settings, asked: Asked, users_file: str | None, say: Callable[[str], None]
) -> ServeContext:
    """Raises XgenError where the manifest, the file of users or what is asked for is wrong."""
    stated = serve_settings(read_site(settings).serve, asked)

    @contextmanager
    def open_run(site: Site) -> Iterator[Run]:
        with run_for(site, settings, brings=False) as run:
            yield run.placed()

    return ServeContext(
        stated,
        load=lambda: read_site(settings),
        open_run=open_run,
        login=actor().login,
        say=say,
        users=None if users_file is None else read_users(users_file),
    )
