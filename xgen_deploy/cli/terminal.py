"""The terminal of an apply: shows the plan, asks the question and follows the progress."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import click

from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.apply.user_interface import Reporter
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.how_to_ask import asking_lines
from xgen_deploy.cli.screens.progress import progress
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.plan import plan_errors
from xgen_deploy.errors import UsageError
from xgen_deploy.plan.take_over import taken_over, taken_over_clause
from xgen_deploy.plan.text import plan_text
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import Record
from xgen_deploy.state.site import Site
from xgen_deploy.visible import on_one_line, printable


class Terminal:
    def __init__(
        self, settings: Settings, options: ApplyOptions, reporter: Reporter | None = None
    ) -> None:
        """`reporter` gets the events instead of the screen."""
        self._settings = settings
        self._options = options
        self._screen = Screen(settings)
        self._reporter = reporter

    def show(self, plan: Plan, seconds: float, *, changed: bool = False) -> None:
        if changed:
            self._screen.lines(
                ["[yellow]The hosts have changed meanwhile. The plan is now:[/yellow]"]
            )
        self._settings.output.plan_errors(plan_errors(plan))
        always = bool(plan.refusals or plan.unreachable)
        lines = plan_text(plan, seconds, verbose=self._settings.verbose, applying=True)
        self._screen.lines(lines, always=always)

    def ask(self, plan: Plan) -> None:
        """Raises click.Abort for the answer no, and UsageError without a terminal."""
        if self._options.yes:
            return
        if not sys.stdin.isatty() or self._settings.json:
            raise UsageError("cannot ask without a terminal; add -y to carry out this plan")
        if not click.confirm(self._question(plan)):
            raise click.Abort
        if taken_over(plan) and not self._options.take_over:
            clause = printable(on_one_line(taken_over_clause(plan)))
            if not click.confirm(f"Remove {clause}, too?"):
                raise click.Abort

    def _question(self, plan: Plan) -> str:
        count = len(plan.operations)
        if self._options.destroy:
            return "Remove all of this?"
        if self._options.cordon is not None:
            return "Take this out of service?"
        if self._options.uncordon is not None:
            return "Put this back into service?"
        if self._options.take_over and not count:
            return "Take over from the other manifest?"
        if plan.prepares and not count:
            return "Bring what is missing?"
        return f"Carry out {count} operation{'s'[: count != 1]}?"

    def served(self, site: Site, records: Mapping[str, Record]) -> None:
        """How to ask what runs now; not where something was to stop."""
        stops = self._options.destroy or self._options.cordon is not None
        if not stops and self._options.what != "stop":
            saved = self._options.expected is not None
            manifest = site.manifest_file if saved else self._settings.manifest
            lines = asking_lines(site, records, manifest)
            self._screen.lines(lines, exact=True)

    def reporting(self) -> AbstractContextManager[Reporter]:
        return nullcontext(self._reporter) if self._reporter else progress(self._settings)
