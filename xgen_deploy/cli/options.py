"""Options that every command takes, as one value."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import click


@dataclass(frozen=True)
class Settings:
    """What was said on the command line about hosts and output."""

    manifest: str
    inventory: str | None
    limit: tuple[str, ...]
    json: bool
    quiet: bool
    verbose: bool
    ssh_config: str | None
    accept_new_host_keys: bool
    ask_become_pass: bool


def output_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`, `-q`, `-v`."""
    for option in (
        click.option("-v", "--verbose", is_flag=True, help="Also say what does not change."),
        click.option("-q", "--quiet", is_flag=True, help="Only problems; the exit code tells."),
        click.option("--json", "json", is_flag=True, help="For programs instead of people."),
    ):
        function = option(function)
    return function


def host_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """MANIFEST and everything about reaching hosts; the command gets a `settings` value."""

    @wraps(function)
    def with_settings(**words: Any) -> Any:
        names = Settings.__dataclass_fields__
        settings = Settings(**{k: words.pop(k) for k in names})
        return function(settings=settings, **words)

    wrapped: Callable[..., Any] = with_settings
    for option in (
        click.option("--ask-become-pass", is_flag=True, help="Ask for sudo's password."),
        click.option(
            "--accept-new-host-keys",
            is_flag=True,
            help="Trust the key of a host never seen before; a changed key is refused.",
        ),
        click.option("--ssh-config", metavar="FILE", help="Instead of ~/.ssh/config."),
        click.option(
            "--limit",
            multiple=True,
            metavar="NAME",
            help="Only this host, group or model; may be given several times.",
        ),
        click.option("-i", "--inventory", metavar="FILE", help="Over the manifest's inventory."),
    ):
        wrapped = option(wrapped)
    wrapped = output_options(wrapped)
    return click.argument("manifest", metavar="MANIFEST")(wrapped)
