"""One apply, from observing to the exit code: plan, show, ask, lock, observe again, change."""

import time
from collections.abc import Mapping
from dataclasses import replace

from xgen_deploy.apply.auditing import Auditing
from xgen_deploy.apply.change import Change, keep_answers
from xgen_deploy.apply.host_sessions import LockedHosts, lock_owner
from xgen_deploy.apply.interrupted import wait_for_put_back
from xgen_deploy.apply.options import ApplyOptions
from xgen_deploy.apply.secret_comparison import SecretComparison
from xgen_deploy.apply.user_interface import Reporter, UserInterface
from xgen_deploy.errors import UnreachableError, XgenError, exit_code_of, first_that_holds
from xgen_deploy.plan.build import default_scope, maintenance_plan, make_plan
from xgen_deploy.plan.cordoning import cordon_plan, uncordon_plan
from xgen_deploy.plan.desired import DesiredState
from xgen_deploy.plan.maintenance import MAINTENANCE
from xgen_deploy.plan.take_over import taken_over, taken_over_clause
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.at_hand import require_at_hand
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.observation import (
    Observation,
    Observed,
    reached,
    records_of,
    under_own_lock,
)
from xgen_deploy.state.plan import Operation, Plan
from xgen_deploy.state.record import Record


class Apply:
    """What `apply`, `rollback`, `destroy`, `stop`, `start` and `restart` have in common."""

    def __init__(self, run: Run, options: ApplyOptions, ui: UserInterface) -> None:
        self._run = run
        self._options = options
        self._ui = ui
        self._secrets = SecretResolver(run.site)
        self._desired = DesiredState(
            run.site, run.renderer, repin=options.repin, rebalance=options.rebalance
        )
        self._comparison = SecretComparison(run, self._secrets, self._desired)
        self._auditing = Auditing(run, options.what, options.overrides, self._secrets)

    def go(self, observed: Observed, began: float) -> int:
        """The exit code. The hosts to be changed are locked and looked at again; where that makes
        another plan, it is shown, and the question asked again. `began` is in monotonic seconds.
        """
        if self._options.compares_secrets and (self._options.yes or not self._options.ask_first):
            observed = {**observed, **self._comparison.compare(reached(observed))}
        plan = self._plan(observed)
        self._desired.hold(plan)
        self._ui.show(plan, time.monotonic() - began)
        self._hold_to_saved(plan, observed)
        self._hold_to_take_over(plan, observed)
        if plan.refusals:
            self._auditing.refused(plan, observed)
        changing = self._changing(plan, observed)
        if not changing and (plan.forbidden or not plan.prepares):
            self._write_manifest(plan)
            return plan.exit_code()
        self._ui.ask(plan)
        if not self._options.keeps_versions:
            require_at_hand(plan, records_of(observed), self._secrets)
        self._auditing.warn_of_webhook()
        without = self._fetch(plan)
        changing -= without.keys()
        if not changing:
            self._write_manifest(plan)
            return first_that_holds(plan.exit_code(), exit_code_of(without.values()))
        while True:
            with LockedHosts({n: self._run.layout(n) for n in self._run.site.hosts}) as locked:
                lost = self._lock(locked, changing)
                now, observed = self._planned_again(locked, plan, observed)
                more = self._changing(now, observed) - changing - without.keys()
                if not more:
                    return self._change(locked, now, observed, {**without, **lost})
            changing, plan = changing | more, now

    def _fetch(self, plan: Plan) -> dict[str, XgenError]:
        """Brings what is missing, and makes what is to be made of it, while everything that serves
        goes on; the hosts that have not got it, with the reason, are left out."""
        if not plan.prepares:
            return {}
        from xgen_deploy.apply.fetch import Fetching  # seldom
        from xgen_deploy.apply.quantize import quantize

        with self._ui.reporting() as report:
            rate = self._options.limit_rate
            fetching = Fetching(self._run, self._secrets, report, limit_rate=rate)
            lost = fetching.bring(plan.fetches)
            return {**lost, **quantize(self._run, plan.quantizings, report, but=lost)}

    def _lock(self, locked: LockedHosts, hosts: frozenset[str]) -> dict[str, XgenError]:
        """Those that were lost on the way, with the reason. Raises LockedError."""
        chosen = [c for n, c in self._run.connections.items() if n in hosts]
        owner = lock_owner(self._options.what)
        if not self._options.lock_wait:
            return locked.lock(chosen, owner)
        with self._ui.reporting() as report:
            return locked.lock(chosen, owner, wait=self._options.lock_wait, tell=report)

    def _planned_again(
        self, locked: LockedHosts, plan: Plan, before: Observed
    ) -> tuple[Plan, Observed]:
        """What is to be done, now that nobody else changes these hosts; shown and asked again
        where it is something else."""
        keep_answers(self._run, locked, before)
        observed = {**before, **under_own_lock(self._observe(locked.hosts))}
        if self._options.compares_secrets:
            changed = {
                name: observation
                for name, observation in reached(observed).items()
                if not self._comparison.knows(name) or _record_changed(observation, before[name])
            }
            observed |= self._comparison.compare(changed)
        now = self._plan(observed)
        self._hold_to_saved(now, observed)
        self._hold_to_take_over(now, observed)
        if now.forbidden:
            self._auditing.refused(now, observed)
        if now.forbidden or _operations(now) != _operations(plan):
            self._ui.show(now, 0.0, changed=True)
            if self._changing(now, observed):
                self._ui.ask(now)
        return now, observed

    def _observe(self, among: frozenset[str]) -> Observed:
        return self._run.observe(among=among, to_bring=self._options.may_bring)

    def _change(
        self, locked: LockedHosts, plan: Plan, observed: Observed, lost: dict[str, XgenError]
    ) -> int:
        changing = self._changing(plan, observed)
        idle = locked.hosts - changing
        observations = reached(observed)
        untouched = {n for n in idle if n in observations and not _traces(observations[n])}
        locked.release(idle, untouched=untouched)
        self._write_manifest(plan)
        if not changing:
            return plan.exit_code()
        with self._ui.reporting() as report:
            for name, error in lost.items():
                report.problem(name, str(error))
            if not changing - lost.keys():
                return first_that_holds(plan.exit_code(), exit_code_of(lost.values()))
            change = Change(
                self._run, self._options, locked, self._comparison, self._auditing, report
            )
            try:
                code = change.carry_out(plan, observed, changing - lost.keys(), lost, self._replan)
            except KeyboardInterrupt:
                locked.close()
                self._wait_for_put_back(changing - lost.keys(), report)
                raise
        if code in (0, UnreachableError.exit_code):
            self._ui.served(self._run.site, change.records)
        return code

    def _write_manifest(self, plan: Plan) -> None:
        """With the edit that the plan is of. It stays, however the hosts take it."""
        if self._options.write_manifest is not None and not plan.forbidden:
            self._options.write_manifest()

    def _wait_for_put_back(self, hosts: frozenset[str], report: Reporter) -> None:
        connections = [c for n, c in self._run.connections.items() if n in hosts]
        try:
            wait_for_put_back(connections, {n: self._run.layout(n) for n in hosts}, report)
        except KeyboardInterrupt:
            report.warning("not waited for: the hosts put back by themselves what worked")
            raise

    def _replan(self, observed: Observed) -> Plan:
        """Plans again once images were pulled whose engines could not be queried before."""
        plan = self._plan(observed)
        if plan.forbidden:
            self._ui.show(plan, 0.0)
            self._auditing.refused(plan, observed)
        return plan

    def _plan(self, observed: Observed) -> Plan:
        site, options = self._run.site, self._options
        if options.maintain is not None:
            return maintenance_plan(site, observed, options.maintain, now=time.time())
        if options.cordon is not None:
            return cordon_plan(site, observed, options.cordon, now=time.time())
        scopes = {
            name: self._comparison.scope(
                name,
                replace(
                    default_scope(site, name, refresh=options.refresh), clearing=options.destroy
                ),
            )
            for name in observed
        }
        if options.uncordon is not None:
            request, now = options.uncordon, time.time()
            scope = scopes[request.host]
            return uncordon_plan(site, observed, self._desired, request, scope, now=now)
        return make_plan(
            site,
            observed,
            self._desired,
            scopes,
            now=time.time(),
            skip_refused=options.skip_refused,
            against="nothing" if options.destroy else "manifest",
            refuses_unfit=options.refuses_unfit,
        )

    def _changing(self, plan: Plan, observed: Observed) -> frozenset[str]:
        """The hosts to be changed, none where anything is refused."""
        if plan.forbidden:
            return frozenset()
        observations = reached(observed)
        own = frozenset(
            h.host
            for h in plan.hosts.values()
            if h.operations
            or h.cordon
            or h.uncordon
            or (self._options.take_over and h.other_origin is not None)
            or (self._options.destroy and h.reachable and _traces(observations[h.host]))
        )
        return own | _gateway_hosts(plan, observed)

    def _hold_to_saved(self, plan: Plan, observed: Observed) -> None:
        if self._options.expected is None:
            return
        changed = self._options.expected.changed(plan)
        if changed:
            reason = f"the saved plan no longer holds: {'; '.join(changed)}"
            self._auditing.refused(plan, observed, reason)
            raise XgenError(
                "refused: the saved plan no longer holds:\n  "
                + "\n  ".join(changed)
                + "\nMake a new one with `xgen-deploy plan -o FILE`."
            )

    def _hold_to_take_over(self, plan: Plan, observed: Observed) -> None:
        """Who is asked sees what another manifest applied, and is asked twice."""
        if not taken_over(plan) or self._options.take_over or not self._options.yes:
            return
        clause = taken_over_clause(plan)
        self._auditing.refused(plan, observed, f"it would remove {clause}")
        option = "`--take-over`"
        if self._options.expected is not None:
            option = "a plan saved with `plan -o FILE --take-over`"
        raise XgenError(
            f"refused: this would remove {clause}. Where this manifest takes over from that one, "
            f"it needs {option}; if it is a copy, give it a `project:` of its own. "
            "Nothing was changed."
        )


def _gateway_hosts(plan: Plan, observed: Observed) -> frozenset[str]:
    """Hosts whose gateway drains an instance before it stops, or has it drained since it was."""
    records = records_of(observed)
    told = (
        o.interrupts
        or o.moves
        or o.action in MAINTENANCE
        or o.strategy == "start-first"
        or _was_stopped(o, records)
        for o in plan.operations
    )
    if not any(told):
        return frozenset()
    return frozenset(n for n, r in records.items() if r.gateway and r.gateway.stopped is None)


def _was_stopped(operation: Operation, records: Mapping[str, Record]) -> bool:
    record = records.get(operation.host)
    last = record.instances.get(operation.name) if record is not None else None
    return last is not None and last.stopped is not None


def _record_changed(observation: Observation, before: Observation | XgenError) -> bool:
    if not isinstance(before, Observation):
        return True
    return observation.facts.record != before.facts.record


def _traces(observation: Observation) -> bool:
    """Whether a host has a record of the project, or something else of it."""
    facts = observation.facts
    return bool(facts.record or facts.etc_files or facts.fetching)


def _operations(plan: Plan) -> Mapping[str, tuple[str, str, bool]]:
    """By id what is done, the digest that it leads to, and whether it interrupts what serves."""
    return {
        o.id: (o.action, o.instance.digest if o.instance else "", o.interrupts)
        for o in plan.operations
    }
