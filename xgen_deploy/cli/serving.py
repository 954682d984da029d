"""What `serve` runs over: the manifest of the command line, read again whenever it changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xgen_deploy.audit.actor import actor
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.opening import read_site, run_for
from xgen_deploy.cli.options import Settings
from xgen_deploy.manifest.edit.of_site import Manifest
from xgen_deploy.manifest.users_file import read_users
from xgen_deploy.run.run import Run
from xgen_deploy.serve.changes.carrying_out import Editing
from xgen_deploy.serve.changes.process import SeparateProcess, read_env
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.settings import Asked, serve_settings
from xgen_deploy.state.site import Site


def serve_context(
    settings: Settings,
    asked: Asked,
    users_file: str | None,
    say: Callable[[str], None],
    apply_env: str | None = None,
) -> ServeContext:
    """`apply_env` is a file of variables for what applies a change. Raises XgenError where the
    manifest, the file of users or what is asked for is wrong."""
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
        editing=_editing(settings, apply_env),
    )


def _editing(settings: Settings, apply_env: str | None) -> Editing:
    """How changes are made: of this manifest, by commands with the same options."""
    manifest = Manifest(
        settings.manifest, engine_words(), tuple(settings.inventory), tuple(settings.variables)
    )
    options = (
        *(f"--inventory={path}" for path in settings.inventory),
        *(f"-e{text}" for text in settings.variables),
        *((f"--ssh-config={settings.ssh_config}",) if settings.ssh_config else ()),
    )
    env = {} if apply_env is None else read_env(apply_env)
    return Editing(manifest, options, SeparateProcess(env))
