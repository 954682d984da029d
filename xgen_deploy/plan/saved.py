"""A plan in a file: what it rested on, to be compared when it is carried out.

It holds the site (manifest and inventory as read) and fingerprints; no commands, no secrets.
"""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from xgen_deploy.errors import UsageError
from xgen_deploy.frozen import Frozen
from xgen_deploy.plan.fingerprint import without_strange_ports
from xgen_deploy.state.manifest_edit import ManifestEdit
from xgen_deploy.state.plan import Plan
from xgen_deploy.state.repin import NO_REPIN, Repin
from xgen_deploy.state.site import Site

FORMAT = 2


class SavedPlan(Frozen):
    """`parts` is how each thing was that the plan rests on, by host; `operations` what was to be
    done; `refresh`, `take_over` and `repin` as they were asked for. `manifest` and `inventory` are
    absolute paths where the plan was made; `inventory` None where the command line named none,
    `variables` those that it gave. `edit`: the plan is of the manifest as it is after that.
    """

    xgen_plan: int = FORMAT
    site: Site
    fingerprint: str
    parts: dict[str, dict[str, str]]
    operations: tuple[str, ...]
    text: tuple[str, ...] = ()
    refresh: bool = False
    manifest: str | None = None
    inventory: str | None = None
    more_inventories: tuple[str, ...] = ()
    take_over: bool = False
    variables: tuple[str, ...] = ()
    repin: Repin = NO_REPIN
    edit: ManifestEdit | None = None

    def changed(self, plan: Plan) -> tuple[str, ...]:
        """What has changed since, as sentences; () where the plan still holds."""
        changes = []
        if plan.manifest_digest != self.site.manifest_digest:
            changes.append(f"{self.site.manifest_file} or its inventory has changed")
        for host, parts in self.parts.items():
            now = plan.hosts.get(host)
            if now is None or not now.reachable:
                changes.append(f"{host}: unreachable now")
                continue
            before = without_strange_ports(self.site, host, parts)
            changes += [f"{host}: {difference}" for difference in _differences(before, now.parts)]
        changes += [
            f"{host}: unreachable when the plan was made"
            for host, now in plan.hosts.items()
            if now.reachable and host not in self.parts
        ]
        if not changes and operation_lines(plan) != self.operations:
            refused = [f"{r.where} is refused now: {r.reason}" for r in plan.refusals]
            changes += refused or ["the operations differ from the saved ones"]
        return tuple(changes)


def _differences(before: dict[str, str], now: dict[str, str]) -> Iterator[str]:
    for what in (*before, *(w for w in now if w not in before)):
        if what not in before:
            yield f"{what} is new: {now[what]}"
        elif what not in now:
            yield f"{what} is gone: it was {before[what]}"
        elif before[what] != now[what]:
            yield f"{what} was {before[what]}; now it is {now[what]}"


def save(
    plan: Plan,
    site: Site,
    text: tuple[str, ...],
    *,
    refresh: bool = False,
    take_over: bool = False,
    manifest: str | None = None,
    inventories: Sequence[str] = (),
    variables: Sequence[str] = (),
    repin: Repin = NO_REPIN,
    edit: ManifestEdit | None = None,
) -> SavedPlan:
    """A plan that was just made, ready to be written; `text` is what `show` prints."""
    return SavedPlan(
        site=site,
        fingerprint=plan.fingerprint,
        parts={n: h.parts for n, h in plan.hosts.items() if h.reachable},
        operations=operation_lines(plan),
        text=text,
        refresh=refresh,
        take_over=take_over,
        manifest=manifest,
        inventory=next(iter(inventories), None),
        more_inventories=tuple(inventories[1:]),
        variables=tuple(variables),
        repin=repin,
        edit=edit,
    )


def operation_lines(plan: Plan) -> tuple[str, ...]:
    """One line a thing that is to be done, with the digest that it leads to. A repair is another
    one where it interrupts: what runs was started anew since."""
    lines = []
    for operation in plan.operations:
        digest = operation.instance.digest if operation.instance else ""
        again = "interrupts" if operation.action == "repair" and operation.interrupts else ""
        words = (operation.action, operation.id, digest, again)
        lines.append(" ".join(word for word in words if word))
    return tuple(lines)


def read_saved(text: str, path: str) -> SavedPlan:
    """Raises UsageError for a file that is not a plan, or that a newer version wrote."""
    try:
        plan = SavedPlan.model_validate_json(text)
    except ValidationError:
        raise UsageError(
            f"{path} is not a saved plan of this version of xgen-deploy; make one with "
            "`xgen-deploy plan MANIFEST -o FILE`"
        ) from None
    if plan.xgen_plan > FORMAT:
        raise UsageError(f"{path} was saved by a newer xgen-deploy")
    return plan
