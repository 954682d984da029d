"""Carries a plan out on locked hosts: secrets, images, operations, outcome."""

from collections.abc import Callable, Mapping
from functools import partial

from xgen_deploy.apply.artifacts import NotPulled, pull_images
from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.apply.ending import end
from xgen_deploy.apply.executor import carry_out_all
from xgen_deploy.apply.gateway_proof import GatewayProof
from xgen_deploy.apply.host import ApplyIdentity
from xgen_deploy.apply.host_context import HostContext, host_context
from xgen_deploy.apply.host_sessions import LockedHosts, login
from xgen_deploy.apply.notify import find_webhook
from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.apply.secret_comparison import SecretComparison
from xgen_deploy.apply.user_interface import Reporter
from xgen_deploy.errors import XgenError, exit_code_of, first_that_holds
from xgen_deploy.manifest.as_applied import as_applied
from xgen_deploy.resolve.gateway_needs import python_on
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.registry import registry_login
from xgen_deploy.state.observation import (
    Observed,
    facts_of,
    reached,
    records_of,
    under_own_lock,
)
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.record import LAST_APPLY, Record, last_number
from xgen_deploy.transport.fleet import each, lost_among


class Change:
    """Of one apply, over the hosts that it has locked."""

    def __init__(
        self,
        run: Run,
        options: ApplyOptions,
        locked: LockedHosts,
        comparison: SecretComparison,
        auditing: Auditing,
        report: Reporter,
    ) -> None:
        self._run = run
        self._options = options
        self._locked = locked
        self._comparison = comparison
        self._auditing = auditing
        self._report = report
        self.records: dict[str, Record] = {}

    def carry_out(
        self,
        plan: Plan,
        observed: Observed,
        changing: frozenset[str],
        lost: Mapping[str, XgenError],
        replan: Callable[[Observed], Plan],
    ) -> int:
        """The exit code. `lost` are hosts that could not be locked; `replan` makes the plan again
        where images came to a host.
        """
        contexts = self._contexts(observed, changing)
        if not self._options.keeps_versions:  # else secrets stay as they were delivered
            lost = {**lost, **self._without(self._comparison.need(plan, contexts))}
            changing -= lost.keys()
        webhook = find_webhook(self._run.site, self._auditing.secrets)
        if isinstance(webhook, str):
            self._report.warning(webhook)
        keep_answers(self._run, self._locked, observed)
        pulled = self._pull(plan, changing)
        lost = {**lost, **self._without(lost_among(pulled, NotPulled))}
        changing -= lost.keys()
        if not changing:
            return exit_code_of(lost.values())
        if any(pulled[name] is True for name in changing):
            # A build that was not there could not be asked what it can do.
            observed = {**observed, **under_own_lock(self._run.observe(among=changing))}
            keep_answers(self._run, self._locked, observed)
            plan = replan(observed)
            if plan.forbidden:
                return 1
            contexts = self._contexts(observed, changing)
        contexts = {n: c for n, c in contexts.items() if n in changing}
        identity = self._identity(observed)
        trail = self._auditing.trail(apply=identity.number, plan=plan.fingerprint)
        self._auditing.follow(trail, contexts)
        results = carry_out_all(
            self._run.site,
            plan,
            records_of(observed),
            contexts,
            [c for n, c in self._run.connections.items() if n in contexts],
            identity,
            self._report,
            destroy=self._options.destroy,
            new_secrets=self._comparison.changed,
            accept_new_vectors=self._options.accept_new_vectors,
        )
        records = {**records_of(observed), **{n: c.record for n, c in contexts.items()}}
        self.records = records
        secrets = self._auditing.secrets
        results = GatewayProof(self._run, records, contexts, secrets, self._report).of(results)
        trail.close()
        code = end(self._run.site, plan, results, identity, self._report, webhook)
        return first_that_holds(code, exit_code_of(lost.values()))

    def _identity(self, observed: Observed) -> ApplyIdentity:
        """Numbered one after the newest apply that a host remembers."""
        site = self._run.site
        options = self._options
        unversioned = options.keeps_versions or options.uncordon is not None or options.destroy
        applies = {n: r.last_apply for n, r in records_of(observed).items()}
        last, far = last_number(applies)
        for name in far:
            self._report.warning(
                f"{name}: the apply number in its record is implausible and was ignored"
            )
        return ApplyIdentity(
            number=min(1 + last, LAST_APPLY),
            by=login(),
            what=self._options.what,
            git=self._auditing.git,
            manifest=site.manifest_file,
            manifest_digest=site.manifest_digest,
            hosts=(*site.hosts, *site.other_hosts),
            origin=site.origin if self._options.what == "apply" else None,
            bundle=site.bundle,
            manifest_values=None if unversioned else as_applied(site),
        )

    def _without(self, lost: dict[str, XgenError]) -> dict[str, XgenError]:
        """The hosts that the others go on without, once that was said."""
        for name, error in lost.items():
            self._report.problem(name, str(error))
        return lost

    def _contexts(self, observed: Observed, hosts: frozenset[str]) -> dict[str, HostContext]:
        return {
            n: host_context(self._run, o, self._locked.session(n), self._auditing.secrets)
            for n, o in reached(observed).items()
            if n in hosts
        }

    def _pull(self, plan: Plan, changing: frozenset[str]) -> dict[str, bool | XgenError]:
        """Whether each host got an image."""
        chosen = [c for n, c in self._run.connections.items() if n in changing]
        return each(
            chosen,
            lambda c: pull_images(
                plan.hosts[c.name],
                self._locked.session(c.name),
                self._report,
                partial(registry_login, self._run.site, self._auditing.secrets),
                python_on(self._run.site, c.name),
                self._run.site.lock,
            ),
        )


def keep_answers(run: Run, locked: LockedHosts, observed: Observed) -> None:
    """What the hosts said of builds and models is kept there for the next look."""
    facts = {n: f for n, f in facts_of(observed).items() if n in locked.hosts}
    chosen = [c for n, c in run.connections.items() if n in facts]
    each(chosen, lambda c: locked.keep_answers(c.name, facts[c.name]))
