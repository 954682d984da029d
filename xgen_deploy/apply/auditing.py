"""A command's audit trail: who called it, and what became of each operation on each host."""

import sys
from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property

from xgen_deploy.apply.host_context import HostContext
from xgen_deploy.apply.notify import Webhook, post, webhook_for
from xgen_deploy.apply.outcomes import Result
from xgen_deploy.audit.actor import actor
from xgen_deploy.audit.event import AuditEvent, Subject
from xgen_deploy.audit.git import git_commit
from xgen_deploy.audit.sinks import Sinks
from xgen_deploy.audit.trail import HostTrail, Trail
from xgen_deploy.errors import XgenError
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.gateway_needs import python_on
from xgen_deploy.run.run import Run
from xgen_deploy.secrets.resolver import SecretResolver
from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.gateway import GATEWAY
from xgen_deploy.state.monitoring_config import MONITORING
from xgen_deploy.state.observation import Observation, Observed
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.secret_uses import AUDIT_WEBHOOK
from xgen_deploy.transport.base import Connection, Session
from xgen_deploy.transport.fleet import each
from xgen_deploy.visible import printable


class Auditing:
    """Made before anything is changed; `begin` once it is known what is to be done."""

    def __init__(
        self,
        run: Run,
        what: str,
        overrides: tuple[str, ...] = (),
        secrets: SecretResolver | None = None,
    ) -> None:
        """`secrets` are those of the whole command. Raises UsageError where the manifest's audit
        file cannot be written.
        """
        site = run.site
        self._run = run
        self.secrets = secrets or SecretResolver(site)
        self._sinks = Sinks(site.audit, self._post)
        self._told_unusable = False
        self._subject = Subject(
            project=site.project,
            actor=actor(),
            what=what,
            manifest=site.manifest_file,
            manifest_digest=site.manifest_digest,
            bundle=str(site.bundle) if site.bundle is not None else None,
            overrides=overrides,
        )

    def _post(self, events: Sequence[AuditEvent]) -> str | None:
        """Posts to the manifest's webhook, where there is one; a sentence where that failed."""
        webhook = self._webhook()
        if webhook is None or isinstance(webhook, str):
            return None if self._told_unusable else webhook
        told = [e.model_dump(mode="json", exclude_none=True) for e in events]
        return post(webhook, AUDIT_WEBHOOK, {"project": self._run.site.project, "events": told})

    def warn_of_webhook(self) -> None:
        """Where the manifest's webhook cannot be used."""
        webhook = self._webhook()
        if isinstance(webhook, str):
            self._told_unusable = True
            warn(f"{webhook}; it will not be told what is done")

    def _webhook(self) -> Webhook | str | None:
        """As `find_webhook` has that of `notify`."""
        site = self._run.site
        ref = site.audit.webhook if site.audit else None
        return webhook_for(AUDIT_WEBHOOK, ref, site, self.secrets) if ref is not None else None

    @cached_property
    def git(self) -> str | None:
        """The commit that the manifest belongs to."""
        bundle = self._run.site.bundle
        return git_commit(self._subject.manifest) if bundle is None else bundle.git

    def trail(self, *, apply: int | None = None, plan: str | None = None) -> Trail:
        """For the apply of this number and the plan of this fingerprint."""
        subject = replace(self._subject, apply=apply, plan=plan, git=self.git)
        return Trail(subject, self._sinks, warn)

    def at(self, trail: Trail, host: str, session: Session, python: str | None = None) -> HostTrail:
        """`python` is an interpreter there, where that is known."""
        layout = self._run.layout(host)
        return trail.at(host, session, layout, python or python_on(self._run.site, host))

    def follow(self, trail: Trail, contexts: Mapping[str, HostContext]) -> None:
        """From now on every operation on these hosts is in the audit log."""
        for name, context in contexts.items():
            context.audit = self.at(trail, name, context.session, context.python)

    def refused_on(self, hosts: Container[str], reason: str) -> None:
        """What was refused before there was a plan, to these hosts: they know the project."""
        trail = self.trail()

        def tell(connection: Connection) -> None:
            with connection.session() as session:
                self.at(trail, connection.name, session).tell("refused", reason=reason)

        self._on_hosts([c for n, c in self._run.connections.items() if n in hosts], tell, trail)

    def refused(self, plan: Plan, observed: Observed, reason: str = "") -> None:
        """What was refused, to each host that it was refused for and that knows the project; to
        all of these where `reason` is why the whole plan was.
        """
        trail = self.trail(plan=plan.fingerprint)
        told: dict[str, list[dict[str, str | None]]] = {
            n: [{"instance": r.instance, "reason": r.reason} for r in h.refusals]
            + ([{"reason": reason}] if reason else [])
            for n, h in plan.hosts.items()
        }

        def tell(connection: Connection) -> None:
            name = connection.name
            observation = observed[name]
            if not isinstance(observation, Observation) or not _keeps_a_log(observation.facts):
                for event in told[name]:
                    trail.tell(name, "refused", **event)
                return
            with connection.session() as session:
                host = self.at(trail, name, session, observation.facts.python_path)
                for event in told[name]:
                    host.tell("refused", **event)

        self._on_hosts([c for n, c in self._run.connections.items() if told.get(n)], tell, trail)

    def _on_hosts(
        self, chosen: Sequence[Connection], tell: Callable[[Connection], None], trail: Trail
    ) -> None:
        for error in each(chosen, tell).values():
            if isinstance(error, XgenError):
                warn(f"the refusal could not be written to the audit log: {error}")
        trail.close()


def recorded_digest(context: HostContext, name: str) -> str | None:
    """The digest of what runs under a name on the host, by its record."""
    if name == GATEWAY:
        return context.record.gateway.digest if context.record.gateway else None
    if name == MONITORING and context.record.monitoring is not None:
        return context.record.monitoring.digest
    last = context.record.instances.get(name)
    return last.digest if last else None


def tell_ended(context: HostContext, before: str | None, result: Result) -> None:
    """`before` is `recorded_digest` from before it began."""
    if context.audit is None:
        return
    operation = result.operation
    context.audit.tell(
        "ok" if result.ok else "failed",
        instance=operation.name,
        action=operation.action,
        cause=operation.cause,
        before=before,
        after=recorded_digest(context, operation.name),
        reason=result.reason,
    )


def tell_whole(context: HostContext, outcome: str, operations: int, reason: str = "") -> None:
    """The event for the begin or the end of all changes on a host."""
    if context.audit is not None:
        count = f"{operations} operation{'s'[: operations != 1]}"
        context.audit.tell(outcome, cause=count, reason=reason)


def _keeps_a_log(facts: HostFacts) -> bool:
    """Nothing is written to a host that has nothing of this project, or where nobody could look."""
    return facts.record is not None


def warn(said: str) -> None:
    """Prints a warning; the exit code stays the same."""
    print(f"warning: {printable(said)}", file=sys.stderr)
