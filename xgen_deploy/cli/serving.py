"""What `serve` runs over: the manifest of the command line, read again whenever it changes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from xgen_deploy.audit.actor import actor
from xgen_deploy.backends.registry import engine_words
from xgen_deploy.cli.opening import read_site, run_for
from xgen_deploy.cli.options import Settings
from xgen_deploy.manifest.edit.of_site import Manifest
from xgen_deploy.run.run import Run
from xgen_deploy.serve.changes.carrying_out import Editing
from xgen_deploy.serve.changes.process import SeparateProcess
from xgen_deploy.serve.changes.with_env import check_env_file
from xgen_deploy.serve.context import ServeContext
from xgen_deploy.serve.security.users_of_file import UsersOfFile
from xgen_deploy.serve.settings import Asked, serve_settings
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class Applying:
    """Files for what applies a change, and for that alone: variables, and how SSH connects."""

    env: str | None = None
    ssh_config: str | None = None


def serve_context(
    settings: Settings,
    asked: Asked,
    users_file: str | None,
    say: Callable[[str], None],
    applying: "Applying | None" = None,
) -> ServeContext:
    """Raises XgenError where the manifest, a file or what is asked for is wrong."""
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
        users=None if users_file is None else UsersOfFile(users_file),
        editing=_editing(settings, applying or Applying()),
    )


def _editing(settings: Settings, applying: Applying) -> Editing:
    """How changes are made: of this manifest, by commands with the same options."""
    manifest = Manifest(
        settings.manifest, engine_words(), tuple(settings.inventory), tuple(settings.variables)
    )
    ssh_config = applying.ssh_config or settings.ssh_config
    options = (
        *(f"--inventory={path}" for path in settings.inventory),
        *(f"-e{text}" for text in settings.variables),
        *((f"--ssh-config={ssh_config}",) if ssh_config else ()),
    )
    if applying.env is not None:
        check_env_file(applying.env)
    return Editing(manifest, options, SeparateProcess(applying.env))
