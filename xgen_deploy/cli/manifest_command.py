"""Commands that take a manifest, and which one is meant where none is written."""

import os
from pathlib import Path

import click

VARIABLE = "XGEN_MANIFEST"
USUAL = "xgen.yaml"
_ENDINGS = (".yaml", ".yml", ".json")


def is_manifest(word: str) -> bool:
    """Whether an argument is the name of a manifest or of a saved plan."""
    return word.endswith(_ENDINGS)


def usual_manifest() -> str:
    """The manifest that is meant where none is written."""
    return os.environ.get(VARIABLE) or USUAL


class ManifestCommand(click.Command):
    """Its first argument is the manifest where it is named like one. Otherwise the manifest is
    `$XGEN_MANIFEST`, else `xgen.yaml` in this folder."""

    may_be_left_out = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.with_manifest(ctx, args))

    def with_manifest(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The words of the command line, with the manifest where none is written."""
        words = self._arguments(ctx, args)
        if words == () and any(arg.partition("=")[0] == "--bundle" for arg in args):
            return ["", *args]  # the bundle's own
        asked = ctx.resilient_parsing and not words  # by a shell: what could come first
        if words is None or asked or (words and is_manifest(words[0])):
            return args
        if words and (not self._takes_more() or "/" in words[0]) and not ctx.resilient_parsing:
            raise click.UsageError(
                f"`{words[0]}` is not named like a manifest: its name ends in "
                f"{', '.join(_ENDINGS[:-1])} or {_ENDINGS[-1]}",
                ctx,
            )
        return [self._usual(ctx), *args]

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        if not self.may_be_left_out:
            return pieces
        return ["[MANIFEST]" if piece == "MANIFEST" else piece for piece in pieces]

    def _arguments(self, ctx: click.Context, args: list[str]) -> tuple[str, ...] | None:
        """What is neither an option nor an option's value; None where click is to answer by itself,
        with the help page or an error."""
        options = [param for param in self.params if isinstance(param, click.Option)]
        words = click.Argument(["words"], nargs=-1)
        same = click.Command(self.name, params=[*options, words])
        try:
            given = same.make_parser(ctx).parse_args(list(args))[0]
        except click.UsageError:
            return None
        help_option = same.get_help_option(ctx)
        if help_option is not None and help_option.name in given:
            return None
        found = given.get("words")
        return found if isinstance(found, tuple) else ()  # click's own sentinel where none is

    def _takes_more(self) -> bool:
        return sum(isinstance(param, click.Argument) for param in self.params) > 1

    def _usual(self, ctx: click.Context) -> str:
        """Raises UsageError where there is none."""
        stated = os.environ.get(VARIABLE, "")
        path = usual_manifest()
        written = f"write one after the command: `{ctx.command_path} FILE.yaml`"
        if ctx.resilient_parsing:
            return path
        if not self.may_be_left_out:
            raise click.UsageError(f"{self.name} has no usual manifest; {written}", ctx)
        if stated and not Path(stated).exists():
            raise click.UsageError(f"${VARIABLE} is {stated}, which does not exist; {written}", ctx)
        if not Path(path).exists():
            raise click.UsageError(
                f"no manifest is named, ${VARIABLE} is not set, and there is no {USUAL} in "
                f"{Path.cwd()}; {written}",
                ctx,
            )
        return f"./{path}" if path.startswith("-") else path


class NamedManifestCommand(ManifestCommand):
    """One whose manifest is always written: a slip would remove or undo something else."""

    may_be_left_out = False
