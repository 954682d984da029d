"""What `apply`, `rollback` and `destroy` share: look, show, ask, lock, look again, carry out."""

import sys
import time
from contextlib import nullcontext
from dataclasses import replace

import click

from xgen_deploy.apply.arrive import arrive
from xgen_deploy.apply.executor import carry_out_all
from xgen_deploy.apply.host import Who
from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.host_sessions import LockedHosts
from xgen_deploy.apply.notify import find_webhook
from xgen_deploy.apply.pull import NotPulled, pull_images
from xgen_deploy.cli.auditing import Auditing
from xgen_deploy.cli.compared import Compared
from xgen_deploy.cli.ending import end
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.planning import exit_code
from xgen_deploy.cli.progress import Gathering, Progress, progress
from xgen_deploy.cli.screen import Screen
from xgen_deploy.cli.take import How, by, overrides, take
from xgen_deploy.errors import UsageError, XgenError
from xgen_deploy.plan.build import default_scope, maintenance_plan, make_plan
from xgen_deploy.plan.maintenance import MAINTENANCE
from xgen_deploy.plan.make import readable_records
from xgen_deploy.plan.text import plan_text
from xgen_deploy.run.control_node import Seen
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import LAST_APPLY, last_number
from xgen_deploy.transport.fleet import each, lost_among


class Applying:
    """One apply, from the first look to the last line."""

    def __init__(
        self,
        run: Run,
        settings: Settings,
        how: How,
        told: Gathering | None = None,
    ) -> None:
        """`told` hears what happens, in place of the screen."""
        self._run = run
        self._settings = settings
        self._screen = Screen(settings)
        self._how = how
        self._told = told
        self._secrets = SecretResolver(run.site)
        self._compared = Compared(run, self._secrets)
        self._auditing = Auditing(run, how.what, overrides(how, settings), self._secrets)

    def go(self, seen: dict[str, Seen], began: float) -> int:
        """The exit code. The hosts to be changed are locked and looked at again; where that makes
        another plan, it is shown, and the question asked again. `began` is in monotonic seconds.
        """
        if self._how.compares_secrets and (self._how.yes or not self._how.ask_first):
            seen = seen | _unseen(self._compared.compare(seen))
        plan = self._shown(seen, time.monotonic() - began)
        changing = self._changing(plan, seen)
        if not changing:
            return exit_code(plan)
        self._ask(plan)
        while True:
            with LockedHosts(self._run.site, self._run.control_node) as locked_hosts:
                lost = take(self._run, locked_hosts, self._settings, self._how, changing)
                now, seen = self._looked_again(locked_hosts, plan, seen)
                more = self._changing(now, seen) - changing
                if not more:
                    return self._under_locks(locked_hosts, now, seen, lost)
            changing, plan = changing | more, now

    def _under_locks(
        self,
        locked_hosts: LockedHosts,
        plan: Plan,
        seen: dict[str, Seen],
        lost: dict[str, XgenError],
    ) -> int:
        changing = self._changing(plan, seen)
        idle = locked_hosts.locked() - changing
        locked_hosts.release(idle, traceless={n for n in idle if _traceless(seen[n])})
        if not changing:
            return exit_code(plan)
        return self._with_progress(locked_hosts, plan, seen, changing, lost)

    def _shown(self, seen: dict[str, Seen], took: float) -> Plan:
        """The plan for what was seen. Raises XgenError where a saved one no longer holds."""
        plan = self._plan(seen)
        self._show(plan, took)
        self._hold_to_saved(plan, seen)
        if plan.refusals:
            self._auditing.refused(plan, seen)
        return plan

    def _looked_again(
        self, locked_hosts: LockedHosts, plan: Plan, before: dict[str, Seen]
    ) -> tuple[Plan, dict[str, Seen]]:
        """What is to be done, now that nobody else changes these hosts; shown and asked again
        where it is something else."""
        self._keep_answers(locked_hosts, before)
        again = self._run.observe(among=locked_hosts.locked())
        seen = before | again
        if self._how.compares_secrets:
            changed = {
                name: one
                for name, one in seen.items()
                if not self._compared.knows(name) or _record(one) != _record(before[name])
            }
            seen |= _unseen(self._compared.compare(changed))
        now = self._plan(seen)
        self._hold_to_saved(now, seen)
        if now.forbidden:
            self._auditing.refused(now, seen)
        if now.forbidden or _what(now) != _what(plan):
            self._screen.lines(["[yellow]The hosts have changed since; now:[/yellow]"])
            self._show(now, 0.0)
            if self._changing(now, seen):
                self._ask(now)
        return now, seen

    def _changing(self, plan: Plan, seen: dict[str, Seen]) -> frozenset[str]:
        """The hosts to be changed, none where anything is refused."""
        if plan.forbidden:
            return frozenset()
        own = frozenset(
            h.host
            for h in plan.hosts.values()
            if h.operations or (self._how.destroy and h.reachable and _traces(seen[h.host]))
        )
        return own | self._gateway_hosts(plan, seen)

    def _with_progress(
        self,
        locked_hosts: LockedHosts,
        plan: Plan,
        seen: dict[str, Seen],
        changing: frozenset[str],
        lost: dict[str, XgenError],
    ) -> int:
        with nullcontext(self._told) if self._told else progress(self._settings) as tell:
            for name, error in lost.items():
                tell.problem(name, str(error))
            if not changing - lost.keys():
                return 1
            return self._carry_out(locked_hosts, plan, seen, changing - lost.keys(), lost, tell)

    def _carry_out(
        self,
        locked_hosts: LockedHosts,
        now: Plan,
        seen: dict[str, Seen],
        changing: frozenset[str],
        lost: dict[str, XgenError],
        tell: Progress,
    ) -> int:
        contexts = self._contexts(locked_hosts, seen, changing)
        if self._how.maintain is None:  # else secrets stay as they were delivered
            lost = lost | self._without(self._compared.need(now, contexts), tell)
            changing -= lost.keys()
        webhook = find_webhook(self._run.site, self._secrets)
        if isinstance(webhook, str):
            tell.warning(webhook)
        self._keep_answers(locked_hosts, seen)
        pulled = self._pull(locked_hosts, now, changing, tell)
        lost = lost | self._without(lost_among(pulled, NotPulled), tell)
        changing -= lost.keys()
        if not changing:
            return _code(lost)
        if any(pulled[name] is True for name in changing):
            # A build that was not there could not be asked what it can do.
            seen = seen | self._run.observe(among=changing)
            self._keep_answers(locked_hosts, seen)
            now = self._plan(seen)
            if now.forbidden:
                self._show(now, 0.0)
                self._auditing.refused(now, seen)
                return 1
            contexts = self._contexts(locked_hosts, seen, changing)
        records = readable_records(self._run.site.project, _facts(seen))
        last, odd = last_number({n: r.last_apply for n, r in records.items()})
        for name in odd:
            tell.warning(f"{name}: the apply number in its record is far from all others; ignored")
        who = Who(
            number=min(1 + last, LAST_APPLY),
            by=by(),
            what=self._how.what,
            git=self._auditing.git,
            manifest=self._run.site.manifest_file,
            manifest_digest=self._run.site.manifest_digest,
            hosts=(*self._run.site.hosts, *self._run.site.other_hosts),
        )
        contexts = {n: run for n, run in contexts.items() if n in changing}
        trail = self._auditing.trail(apply=who.number, plan=now.fingerprint)
        self._auditing.follow(trail, contexts)
        results = carry_out_all(
            self._run.site,
            now,
            _facts(seen),
            contexts,
            [c for n, c in self._run.connections.items() if n in contexts],
            who,
            tell,
            destroy=self._how.destroy,
            new_secrets=self._compared.changed,
        )
        trail.close()
        code = end(self._run.site, now, results, who, tell, webhook)
        return code or _code(lost)

    def _without(self, lost: dict[str, XgenError], tell: Progress) -> dict[str, XgenError]:
        """The hosts that the others go on without, once that was said."""
        for name, error in lost.items():
            tell.problem(name, str(error))
        return lost

    def _contexts(
        self, locked_hosts: LockedHosts, seen: dict[str, Seen], hosts: frozenset[str]
    ) -> dict[str, HostContext]:
        site, control_node = self._run.site, self._run.control_node
        return {
            host: arrive(site, control_node, host, locked_hosts.session(host), facts, self._secrets)
            for host, facts in _facts(seen).items()
            if host in hosts
        }

    def _keep_answers(self, locked_hosts: LockedHosts, seen: dict[str, Seen]) -> None:
        facts = {n: f for n, f in _facts(seen).items() if n in locked_hosts.locked()}
        chosen = [c for n, c in self._run.connections.items() if n in facts]
        each(chosen, lambda c: locked_hosts.keep_answers(c.name, facts[c.name]))

    def _pull(
        self, locked_hosts: LockedHosts, plan: Plan, changing: frozenset[str], tell: Progress
    ) -> dict[str, bool | XgenError]:
        """Whether each host got an image."""
        chosen = [c for n, c in self._run.connections.items() if n in changing]
        return each(
            chosen, lambda c: pull_images(plan.hosts[c.name], locked_hosts.session(c.name), tell)
        )

    def _plan(self, seen: dict[str, Seen]) -> Plan:
        site = self._run.site
        if self._how.maintain is not None:
            return maintenance_plan(site, seen, self._run.control_node, self._how.maintain)
        scopes = {
            h: self._compared.scope(
                h,
                replace(
                    default_scope(site, h, repin=self._how.repin, refresh=self._how.refresh),
                    clearing=self._how.destroy,
                ),
            )
            for h in seen
        }
        skip_refused = self._how.skip_refused
        return make_plan(site, seen, self._run.control_node, scopes, skip_refused=skip_refused)

    def _gateway_hosts(self, plan: Plan, seen: dict[str, Seen]) -> frozenset[str]:
        """Hosts whose gateway is told before an instance stops."""
        told = (o for o in plan.operations if o.interrupts or o.moves or o.action in MAINTENANCE)
        if not any(told) and not any(o.strategy == "start-first" for o in plan.operations):
            return frozenset()
        records = readable_records(self._run.site.project, _facts(seen))
        return frozenset(n for n, r in records.items() if r.gateway is not None)

    def _hold_to_saved(self, plan: Plan, seen: dict[str, Seen]) -> None:
        if self._how.expected is not None:
            changed = self._how.expected.changed(plan)
            if changed:
                reason = f"the saved plan no longer holds: {'; '.join(changed)}"
                self._auditing.refused(plan, seen, reason)
                raise XgenError(
                    "refused: the saved plan no longer holds:\n  "
                    + "\n  ".join(changed)
                    + "\nMake a new one with `xgen-deploy plan -o FILE`."
                )

    def _show(self, plan: Plan, took: float) -> None:
        always = bool(plan.refusals or plan.unreachable)
        lines = plan_text(plan, took, verbose=self._settings.verbose, applying=True)
        self._screen.lines(lines, always=always)

    def _ask(self, plan: Plan) -> None:
        if self._how.yes:
            return
        if not sys.stdin.isatty() or self._settings.json:
            raise UsageError("there is no terminal to ask at; give -y to carry this plan out")
        count = len(plan.operations)
        question = f"Carry out {count} operation{'s'[: count != 1]}?"
        if not click.confirm("Take all of this away?" if self._how.destroy else question):
            raise click.Abort


def _facts(seen: dict[str, Seen]) -> dict[str, HostFacts]:
    """Of the hosts that were seen."""
    return {name: one.facts for name, one in seen.items() if one.facts is not None}


def _record(seen: Seen) -> str | None:
    return seen.facts.record if seen.facts else None


def _code(lost: dict[str, XgenError]) -> int:
    """Of the hosts that were not changed."""
    failed = any(isinstance(e, NotPulled) for e in lost.values())
    return 1 if failed else (4 if lost else 0)


def _unseen(lost: dict[str, XgenError]) -> dict[str, Seen]:
    return {name: Seen(None, error) for name, error in lost.items()}


def _traceless(seen: Seen) -> bool:
    """What cannot be seen may have traces."""
    return seen.facts is not None and not _traces(seen)


def _traces(seen: Seen) -> bool:
    """Whether a host remembers the project at all."""
    return seen.facts is not None and bool(seen.facts.record or seen.facts.etc_files)


def _what(plan: Plan) -> list[tuple[str, str, str]]:
    return [(o.id, o.action, o.instance.digest if o.instance else "") for o in plan.operations]
