"""`extra_args` held against the build's own list of options and the host's files: a wrong one would
only be found by the engine, once the old version has been stopped. Pure.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from xgen_deploy.backends.base import Backend
from xgen_deploy.resolve.models import facts_of, usable_files
from xgen_deploy.resolve.stated_files import argument_files
from xgen_deploy.state.extra_args import options
from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Engine
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse
from xgen_deploy.state.settings import EngineSettings


def check_extra_args(
    config: InstanceConfig,
    backend: Backend,
    engine: Engine,
    host: Host,
    files: Mapping[str, ModelFacts],
) -> str | None:
    """A note for the plan, or None. Raises Refused."""
    section = backend.settings
    settings: EngineSettings | None = getattr(config, section) if section else None
    arguments = settings.extra_args if settings else None
    if settings is None or not arguments:
        return None
    field = f"{section}.extra_args"
    for option, instead in settings.options.own_in(arguments):
        raise refuse(config, f"extra_args has `{option}`, but {instead}", field=field)
    for option in _unknown(arguments, engine, joined=backend.joins_values):
        raise refuse(config, *_no_such_option(option, field, backend, engine), field)
    for stated in argument_files(config, host):
        if stated.field == field:
            facts = facts_of(config, stated.key, files, field)
            usable_files(config, facts, f"{field}: file", field)
    if engine.known:
        return None
    if engine.pull or engine.coming:
        what = "image" if engine.image is not None else "build"
        return f"{field} is not checked: the {what} is not on the host yet"
    return f"{field} is not checked: {backend.title} takes too long to list its options"


def _unknown(arguments: tuple[str, ...], engine: Engine, *, joined: bool) -> Iterator[str]:
    """Options that the build does not list; `--option=value` is none where values are not
    `joined`.
    """
    if not engine.known:
        return
    for argument in arguments:
        for option in options((argument,)):
            if option not in engine.flags or ("=" in argument and not joined):
                yield argument


def _no_such_option(argument: str, field: str, backend: Backend, engine: Engine) -> tuple[str, str]:
    """The reason and the hint."""
    name, _, value = argument.partition("=")
    if value and name in engine.flags:
        reason = f"{field}: {backend.title} takes no `{argument}`"
        return reason, f'Write the option and its value as two items: [{name}, "{value}"].'
    build = engine.binary or engine.image
    near = get_close_matches(name, engine.flags, n=1)
    nearest = f"Did you mean `{near[0]}`? " if near else ""
    return (
        f"{field}: this build of {backend.title} ({build}) has no option `{name}`",
        f"{nearest}Its `--help` lists all of them.",
    )
