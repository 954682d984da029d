"""What hosts have to make of models' sources before their operations can be carried out. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from rich.markup import escape

from xgen_deploy.plan.headlines import duration
from xgen_deploy.sizes import size_text
from xgen_deploy.state.facts import FolderFacts
from xgen_deploy.state.instance import Refusal
from xgen_deploy.state.observation import Observation
from xgen_deploy.state.plan import HostPlan
from xgen_deploy.state.quantize import Quantizing

MODEL_ROOM = (
    "Make room there (`xgen-deploy models prune` removes what nobody uses), or state another "
    "folder in the inventory."
)


def quantizings(
    hosts: Mapping[str, HostPlan], observations: Mapping[str, Observation]
) -> tuple[Quantizing, ...]:
    """On the hosts that nothing is refused for, in the order of their plans."""
    return tuple(
        needed
        for name, plan in hosts.items()
        if not plan.refusals and name in observations
        for needed in needed_on(plan, observations[name])
    )


def needed_on(plan: HostPlan, observation: Observation) -> Iterator[Quantizing]:
    """For what an operation loads, and for what the next start of a running instance would."""
    loads = {o.instance.spec.model_path for o in plan.operations if o.instance is not None}
    for quantizing in observation.quantizing:
        stays = any(name in plan.unchanged for name in quantizing.instances)
        if quantizing.place in loads or stays:
            folder = folder_of(quantizing, observation)
            yield replace(quantizing, free=folder.free if folder else None)


def unmakeable(
    hosts: Mapping[str, HostPlan],
    observations: Mapping[str, Observation],
    sums: Mapping[tuple[str, int, int], int],
) -> Iterator[Refusal]:
    """Where there is no room beside what is brought, which `sums` has by disk (plan/fetches.py)."""
    taken = dict(sums)
    for name, observation in observations.items():
        for each in needed_on(hosts[name], observation) if name in hosts else ():
            if (folder := folder_of(each, observation)) is None:
                continue
            disk = (name, folder.free, folder.total)
            taken[disk] = taken.get(disk, 0) + each.size
            reason, free = folder.closed, folder.free + _leftover(observation)
            if taken[disk] > free:
                reason = (
                    f"about {size_text(taken[disk])} are to come to {folder.path}, where "
                    f"{size_text(free)} are free"
                )
            if reason is not None:
                what = f"{each.name} cannot be made {each.file_type}: {reason}"
                yield Refusal(host=name, instance=each.instances[0], reason=what, hint=MODEL_ROOM)


def _leftover(observation: Observation) -> int:
    quantizer = observation.facts.quantizer
    return quantizer.leftover if quantizer is not None else 0


def folder_of(quantizing: Quantizing, observation: Observation) -> FolderFacts | None:
    folders = observation.facts.folders
    return next((f for f in folders if f.path.rstrip("/") == quantizing.root), None)


def quantizing_lines(needed: Sequence[Quantizing]) -> Iterator[str]:
    """With markup; nothing where nothing is made."""
    for each in needed:
        room = f"  disk {size_text(each.free)} free" if each.free is not None else ""
        what = f"{each.name}  {each.file_type}, about {size_text(each.size)}, on {each.host}{room}"
        yield f"[cyan]> quantize[/cyan] {escape(what)}"
        took = f"about {duration(each.seconds)}, {each.threads} thread{'s'[: each.threads != 1]}"
        how = f"{each.program} {each.version}: {took}, {size_text(each.memory)} of memory"
        yield f"      [dim]{escape(how)}[/dim]"
        if each.requantizes:
            yield "      [yellow]its source is Q8_0: F16 or BF16 make a better file[/yellow]"
    if needed:
        yield ""
