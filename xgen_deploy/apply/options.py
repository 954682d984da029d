"""How an apply was asked for."""

from collections.abc import Callable
from dataclasses import dataclass

from xgen_deploy.plan.cordoning import CordonRequest, UncordonRequest
from xgen_deploy.plan.maintenance import Request
from xgen_deploy.plan.saved import SavedPlan
from xgen_deploy.state.repin import NO_REPIN, Repin


@dataclass(frozen=True)
class ApplyOptions:
    """`destroy`: the site wants nothing, and what is left of the project goes too. `expected`:
    a saved plan's fingerprints; where the hosts differ from them it is refused. `lock_wait` is
    in seconds. `what` goes into the history. `refresh` as in plan/host_plan.py, Scope; `repin`
    and `rebalance` as in plan/desired.py. `skip_refused`: hosts with refusals are left out.
    `take_over`: what another manifest applied is removed too. `ask_first`: no secret is looked up
    before the answer. `trust_history` as `rollback` was given it. `maintain`,
    `cordon`, `uncordon`: instead of what the manifest says. `accept_new_vectors`: those of an
    embedding model may be others than before. `limit_rate` of what is fetched, in bytes a second;
    0: as the manifest says. `write_manifest`: the plan is of an edit of the manifest, which this
    writes; called once, when the hosts are locked. `older`, `allow_unsigned`: of the bundle.
    `refuses_unfit` as in plan/build.py.
    """

    yes: bool
    repin: Repin = NO_REPIN
    rebalance: bool = False
    refresh: bool = False
    destroy: bool = False
    expected: SavedPlan | None = None
    lock_wait: float = 0.0
    what: str = "apply"
    skip_refused: bool = False
    take_over: bool = False
    ask_first: bool = False
    trust_history: bool = False
    maintain: Request | None = None
    cordon: CordonRequest | None = None
    uncordon: UncordonRequest | None = None
    accept_new_host_keys: bool = False
    accept_new_vectors: bool = False
    limit_rate: int = 0
    write_manifest: Callable[[], None] | None = None
    older: bool = False
    allow_unsigned: bool = False
    refuses_unfit: bool = True

    @property
    def compares_secrets(self) -> bool:
        """Maintenance leaves them as they were delivered, and a saved plan knew of none."""
        return not self.keeps_versions and self.expected is None

    @property
    def may_bring(self) -> bool:
        """Whether models that are missing may be fetched."""
        return not self.destroy and not self.keeps_versions

    @property
    def keeps_versions(self) -> bool:
        """It stops or starts what was applied, and delivers nothing."""
        return self.maintain is not None or self.cordon is not None

    @property
    def overrides(self) -> tuple[str, ...]:
        """What goes past a safeguard, or past what a plan does by itself, as it is called on the
        command line without its dashes: for the audit log.
        """
        stated = {
            "repin": bool(self.repin),
            "rebalance": self.rebalance,
            "refresh": self.refresh,
            "skip-refused": self.skip_refused,
            "take-over": self.take_over,
            "trust-history": self.trust_history,
            "accept-new-host-keys": self.accept_new_host_keys,
            "accept-new-vectors": self.accept_new_vectors,
            "older": self.older,
            "allow-unsigned": self.allow_unsigned,
        }
        return tuple(name for name, given in stated.items() if given)
