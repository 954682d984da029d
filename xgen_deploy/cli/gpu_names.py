"""Cards named on the command line: `HOST:INDEX`, as `gpus` prints the index."""

import re
from collections.abc import Collection, Sequence

import click

from xgen_deploy.cli.manifest_command import ManifestCommand
from xgen_deploy.cli.names import unknown
from xgen_deploy.errors import UsageError
from xgen_deploy.state.repin import Repin

_CARD = re.compile(r"([^:/\s]+):(\d{1,4})")
_EVERY = "every card"
_REPIN = "--repin"


class AcceptingCommand(ManifestCommand):
    """`--repin` alone is for every card: a word after it is its value only where it names one."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_joined(args)))


def _joined(args: Sequence[str]) -> Sequence[str]:
    words, rest = [], list(args)
    while rest:
        word = rest.pop(0)
        if word == _REPIN:
            named = bool(rest) and _CARD.fullmatch(rest[0]) is not None
            word = f"{_REPIN}={rest.pop(0) if named else _EVERY}"
        words.append(word)
    return words


repin_option = click.option(
    _REPIN,
    multiple=True,
    metavar="[HOST:INDEX]",
    help="Accept that a GPU index now means another card, there or everywhere; repeatable.",
)


def repin_of(values: Sequence[str], hosts: Collection[str]) -> Repin:
    """Raises UsageError for what names no card of these hosts."""
    cards = frozenset(card_of(value, hosts) for value in values if value != _EVERY)
    return Repin(everywhere=_EVERY in values, cards=cards)


def card_of(text: str, hosts: Collection[str]) -> tuple[str, int]:
    """Raises UsageError."""
    match = _CARD.fullmatch(text)
    if match is None:
        raise UsageError(f"`{text}` names no card; write HOST:INDEX, such as `gpu-01:0`")
    return _known(match[1], hosts), int(match[2])


def place_of(text: str, hosts: Collection[str]) -> tuple[str, int | None]:
    """`HOST` or `HOST:INDEX`. Raises UsageError."""
    return card_of(text, hosts) if ":" in text else (_known(text, hosts), None)


def _known(host: str, hosts: Collection[str]) -> str:
    if host not in hosts:
        raise unknown("host", host, sorted(hosts))
    return host
