"""What a shell offers at a TAB: files, and the names of a manifest. No host is contacted."""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from xgen_deploy.cli.manifest_command import is_manifest, usual_manifest

if TYPE_CHECKING:
    from xgen_deploy.state.site import Site

Suggest = Callable[[click.Context, str], list[CompletionItem]]


class Suggesting(click.ParamType):  # type: ignore[type-arg]  # generic in newer click alone
    """A parameter's own type that also knows what to offer."""

    def __init__(self, own: "click.ParamType[Any]", suggest: Suggest) -> None:
        self.name = own.name
        self._own = own
        self._suggest = suggest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self._own.convert(value, param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        given = ctx.params.get(param.name or "")
        taken = set(given) if isinstance(given, tuple) else set()
        return [item for item in self._suggest(ctx, incomplete) if item.value not in taken]


def suggest_values(command: click.Command) -> None:
    """Its parameters offer what their metavar stands for."""
    for param in command.params:
        metavar = re.search(r"[A-Z]+", (param.metavar or param.name or "").upper())  # HOST[:GPU]
        name = "LIMIT" if param.name == "limit" else metavar and metavar[0]
        suggest = _SUGGESTED.get(name or "")
        if suggest is not None and not getattr(param, "is_flag", False):
            param.type = Suggesting(param.type, suggest)


def _files(_: click.Context, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="file")]


def _manifests(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Where the usual manifest may be meant, what comes after it may stand first."""
    _, *more = (p for p in ctx.command.params if isinstance(p, click.Argument))
    if more and isinstance(more[0].type, Suggesting):
        names = more[0].type.shell_complete(ctx, more[0], incomplete)
        if names:
            return names
    return _files(ctx, incomplete)


def _folders(_: click.Context, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(incomplete, type="dir")]


def _instances(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    site = _site(ctx)
    if site is None:
        return []
    places: dict[str, list[str]] = {}
    for instance in site.declared:
        places.setdefault(instance.name, []).append(instance.host)
    items = {name: f"on {', '.join(hosts)}" for name, hosts in places.items()}
    if site.gateway is not None:
        items["gateway"] = "on " + ", ".join(site.gateway.hosts or ())
    return _matching(items, incomplete)


def _models(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    site = _site(ctx)
    if site is None:
        return []
    names = dict.fromkeys((i.name for i in site.declared), "instance")
    if ctx.command.name == "ask":
        names |= {a: f"alias of {i.model}" for i in site.declared for a in i.aliases}
        names |= {a: f"adapter of {i.model}" for i in site.declared for a in i.loras}
    names |= dict.fromkeys((i.model for i in site.declared), "model")
    return _matching(names, incomplete)


def _limits(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Of a list (`a,b`) the last name is completed."""
    site = _site(ctx)
    if site is None:
        return []
    names = dict.fromkeys((i.name for i in site.declared), "instance")
    names |= dict.fromkeys((i.model for i in site.declared), "model")
    names |= dict.fromkeys(site.groups, "group") | dict.fromkeys(site.hosts, "host")
    before, comma, last = incomplete.rpartition(",")
    return [
        CompletionItem(before + comma + item.value, help=item.help)
        for item in _matching(names, last)
    ]


def _hosts(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """Of the manifest or inventory; where there is none, those of OpenSSH's configuration."""
    if "manifest" in ctx.params:
        site = _site(ctx)
        return _matching(dict.fromkeys(site.hosts if site else (), "host"), incomplete)
    inventory = ctx.params.get("inventory")
    names = _of_inventory(inventory) if inventory else _of_ssh_config(ctx.params.get("ssh_config"))
    return _matching(names, incomplete)


def _commands(ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    group = ctx.find_root().command
    names = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return _matching(dict.fromkeys(names, ""), incomplete)


_SUGGESTED: dict[str, Suggest] = {
    "MANIFEST": _manifests,
    "FILE": _files,
    "FOLDER": _folders,
    "DIR": _folders,
    "INSTANCE": _instances,
    "INSTANCES": _instances,
    "MODEL": _models,
    "LIMIT": _limits,
    "HOST": _hosts,
    "COMMAND": _commands,
}


def _matching(names: dict[str, str], incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(name, help=what or None)
        for name, what in names.items()
        if name.startswith(incomplete)
    ]


def _site(ctx: click.Context) -> "Site | None":
    """Of the manifest on the command line or the usual one; None where it cannot be read."""
    from xgen_deploy.backends.registry import engine_words
    from xgen_deploy.errors import XgenError
    from xgen_deploy.manifest.load import load_site

    # Words before an option that lacks its value are not parsed, and left in `args`.
    manifest = ctx.params.get("manifest") or next(filter(is_manifest, ctx.args), usual_manifest())
    with suppress(XgenError, OSError):
        for folder in ctx.find_root().params.get("folders") or ():
            os.chdir(folder)
        return load_site(manifest, engine_words(), inventory=ctx.params.get("inventory") or ())
    return None


def _of_inventory(sources: tuple[str, ...]) -> dict[str, str]:
    from xgen_deploy.errors import XgenError
    from xgen_deploy.run.named_hosts import inventory_names

    with suppress(XgenError, OSError):
        return inventory_names(sources)
    return {}


def _of_ssh_config(path: str | None) -> dict[str, str]:
    try:
        text = (Path(path) if path else Path.home() / ".ssh/config").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    lines: Iterable[str] = re.findall(r"(?im)^[ \t]*host(?:[ \t]*=[ \t]*|[ \t]+)(.*)$", text)
    words = [word for line in lines for word in line.split()]
    return {word: "host" for word in words if not set("*?!") & set(word)}
