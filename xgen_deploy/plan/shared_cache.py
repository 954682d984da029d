"""The cache of an instance whose slots share one context: an older version of this tool left that
to the engine. Its next change gives each slot its own, which takes more memory. Pure.
"""

from xgen_deploy.backends.registry import backend_named, sharing_slots_of
from xgen_deploy.state.instance import Spec
from xgen_deploy.state.record import InstanceRecord

_CACHE = ("cache_type_k", "cache_type_v")


def shared_cache_notes(last: InstanceRecord, after: Spec) -> tuple[str, ...]:
    """For the reader of the plan; () where the slots share nothing, before or after."""
    backend, sharing = backend_named(after.backend), sharing_slots_of(last.spec)
    slots = backend.stated_slots(after) if backend else None
    if sharing is None or slots is None:
        return ()
    growth = slots * after.n_ctx / last.spec.n_ctx
    size = f"{growth:.3g} times as large" if growth != 1 else "as large as before"
    each = f"{slots} slot{'s'[: slots != 1]} x {after.n_ctx}"
    more = _more_mib(last, after, growth)
    return (
        f"its cache: {last.spec.n_ctx} shared by {sharing} slots -> {each}, {size}"
        f"{f', up to {more:.0f} MiB more' if more else ''}",
    )


def _more_mib(last: InstanceRecord, after: Spec, growth: float) -> float:
    """By what the engine reported of its GPUs; 0 where that tells nothing of the new one."""
    same = last.spec.model_path == after.model_path and all(
        getattr(last.spec.llama, field) == getattr(after.llama, field) for field in _CACHE
    )
    if last.report is None or not same:
        return 0.0
    return max(0.0, (growth - 1) * sum(device.kv_mib for device in last.report.devices))
