"""Refuses a host on which this login may not do what an apply needs. Pure."""

from xgen_deploy.state.facts import HostFacts
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.layout import Layout


def not_root(host: Host, facts: HostFacts, layout: Layout) -> Refusal | None:
    """None where the login is root, or where the process runtime needs none."""
    if facts.uid == 0 or layout.process_dir is not None:
        return None
    if host.become is False:
        way_out = (
            f"Let {facts.user} use sudo and take `ansible_become: false` out of the inventory "
            "(docs/security.md has the narrowest rule), or log in as root"
        )
    else:
        way_out = f"Have sudo run commands as root there (`runas_default` names {facts.user} now)"
    return Refusal(
        host=host.name,
        reason=f"{facts.user} is not root there; an apply needs root for units in "
        f"{layout.unit_dir}, settings and secrets in {layout.etc_dir} and the record in "
        f"{layout.state_dir}, and the group docker does not give that",
        hint=f"{way_out}. On your own machine `runtime: process` needs no root.",
    )


def no_programs(host: str, facts: HostFacts) -> Refusal | None:
    """None where programs can be started."""
    if facts.exec_error is None:
        return None
    return Refusal(
        host=host,
        reason=f"no program can be started there: {facts.exec_error}",
        hint="Under sudo that is its `noexec` or `intercept`: allow it for this login in "
        "/etc/sudoers.d there (`Defaults:LOGIN !noexec`, or `EXEC:` in its rule).",
    )
