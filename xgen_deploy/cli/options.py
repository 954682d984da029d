"""Options common to most commands, and their values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click

from xgen_deploy.cli.gpu_names import repin_option
from xgen_deploy.cli.json_output import JsonOutput
from xgen_deploy.state.field_types import size, size_bytes


@dataclass(frozen=True)
class Settings:
    """The command line's options for hosts and output."""

    manifest: str
    inventory: tuple[str, ...]
    limit: tuple[str, ...]
    json: bool
    quiet: bool
    verbose: bool
    ssh_config: str | None
    accept_new_host_keys: bool
    ask_become_pass: bool
    output: JsonOutput
    variables: tuple[str, ...] = ()
    bundle: str | None = None
    allowed_signers: str | None = None
    allow_unsigned: bool = False
    older: bool = False


def current_output() -> JsonOutput:
    """Of the command that is being run."""
    output: JsonOutput | None = click.get_current_context().find_object(JsonOutput)
    return output or JsonOutput()


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `-q`, `-v`."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Also show what does not change."),
        click.option("-q", "--quiet", is_flag=True, help="Print only problems."),
        click.option("--json", "json", is_flag=True, help="Machine-readable output."),
    ):
        function = option(function)
    return function


def host_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """MANIFEST, and the options for hosts and output; the command gets them as `settings`."""

    @wraps(function)
    def with_settings(**values: Any) -> Any:
        settings, others = settings_of(values)
        return function(settings=settings, **others)

    wrapped = connection_options(with_settings)
    for option in (
        click.option(
            "--limit",
            multiple=True,
            metavar="NAME",
            help="Only this host, group, model or instance; repeatable.",
        ),
        click.option(
            "-e",
            "--extra-vars",
            "variables",
            multiple=True,
            metavar="KEY=VALUE",
            help="A variable of the manifest, over the inventory's; or @FILE. Never a secret.",
        ),
        click.option(
            "-i",
            "--inventory",
            multiple=True,
            metavar="FILE",
            help="Override the manifest's inventory; repeatable, the last on top.",
        ),
    ):
        wrapped = option(wrapped)
    wrapped = output_options(wrapped)
    return click.argument("manifest", metavar="MANIFEST")(wrapped)


def settings_of(values: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
    """From a command's parameters, and those that are left."""
    output = current_output()
    output.begin(asked_for=values["json"])
    fields = Settings.__dataclass_fields__.keys() - {"output"}
    names = [name for name in fields if name in values]
    settings = Settings(**{name: values[name] for name in names}, output=output)
    return settings, {name: value for name, value in values.items() if name not in names}


def connection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """How hosts are reached."""
    for option in (
        click.option("--ask-become-pass", is_flag=True, help="Ask for the sudo password."),
        click.option(
            "--accept-new-host-keys",
            is_flag=True,
            help="Record the key of a new host; a changed key is still refused.",
        ),
        click.option("--ssh-config", metavar="FILE", help="Use FILE instead of ~/.ssh/config."),
    ):
        function = option(function)
    return function


def _rate(ctx: click.Context, param: click.Parameter, value: str | None) -> int:
    """Bytes a second, 0 where none is stated."""
    if value is None:
        return 0
    try:
        return size_bytes(size(value))
    except ValueError:
        problem = f"`{value}` is no rate; state bytes a second, such as 200M"
        raise click.BadParameter(problem, ctx, param) from None


limit_rate_option = click.option(
    "--limit-rate",
    callback=_rate,
    metavar="RATE",
    help="Most bytes a second of each transfer, such as 200M; over the manifest's.",
)


def trust_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Whose bundles are taken."""
    for option in (
        click.option(
            "--allow-unsigned",
            is_flag=True,
            help="Take a bundle without a known signature; the audit log will say so.",
        ),
        click.option(
            "--allowed-signers",
            metavar="FILE",
            help="Whose signature of a bundle counts, as in ssh-keygen(1); "
            "~/.config/xgen-deploy/allowed_signers unless given.",
        ),
    ):
        function = option(function)
    return function


def bundle_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--bundle`: everything comes from one file; MANIFEST may then be left out."""
    function = trust_options(function)
    for option in (
        click.option(
            "--older", is_flag=True, help="Take a bundle that is older than the last one applied."
        ),
        click.option(
            "--bundle",
            metavar="FILE",
            help="Take all files from this bundle, and its manifest unless another is named.",
        ),
    ):
        function = option(function)
    return function


fleet_option = click.option(
    "--fleet",
    metavar="FILE",
    help="Instead of the hosts: a fleet in a file, recorded by `gpus --json` or invented.",
)


take_over_option = click.option(
    "--take-over",
    is_flag=True,
    help="Also remove what another manifest of the same project applied.",
)


accept_new_vectors_option = click.option(
    "--accept-new-vectors",
    is_flag=True,
    help="An embedding model may give other vectors than before; earlier indexes do not fit then.",
)


def accepting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--repin`, `--refresh`, `--rebalance`, `--take-over`: what a plan does only on request."""
    for option in (
        take_over_option,
        click.option(
            "--refresh",
            is_flag=True,
            help="Also rewrite units that an older xgen-deploy wrote, as updates.",
        ),
        click.option(
            "--rebalance",
            is_flag=True,
            help="Choose GPUs, layers and contexts that are left to the tool anew.",
        ),
        repin_option,
    ):
        function = option(function)
    return function
