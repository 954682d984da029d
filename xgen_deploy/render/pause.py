"""The pause before a unit is restarted: it grows up to a minute, and restarts never stop."""

# systemd.service(5): RestartSteps= and RestartMaxDelaySec= are there since version 254.
_HAS_STEPS = 254
# Seconds to wait beyond RestartSec=5 after the second, third, fourth and every later exit. They are
# split into three commands, because TimeoutStopSec= limits each command after a stop.
_PARTS = ((2, 5, 12, 19), (2, 5, 12, 18), (1, 5, 11, 18))
# After a run of ten minutes there is no pause. A manual stop or start ends it: systemd has a job
# for the unit then.
_SCRIPT = (
    'unit=$1; shift; get() { systemctl show --property="$1" --value "$unit"; }; '
    'n=$(get NRestarts); [ "${n:-0}" -gt 0 ] || exit 0; '
    "ran=$(($(get ExecMainExitTimestampMonotonic) - $(get ExecMainStartTimestampMonotonic))); "
    '[ "$ran" -lt 600000000 ] || exit 0; '
    '[ "$n" -lt $# ] || n=$#; shift $((n - 1)); left=$1; '
    'while [ "$left" -gt 0 ]; do job=$(get Job); [ "${job:-0}" = 0 ] || exit 0; '
    "sleep 1; left=$((left - 1)); done"
)


def pauses_itself(systemd: int | None) -> bool:
    """Whether this version of systemd can lengthen the pause; older ones need `pause_argvs`."""
    return systemd is not None and systemd >= _HAS_STEPS


def pause_argvs(unit: str) -> tuple[tuple[str, ...], ...]:
    """Commands for ExecStopPost=, in this order: with `RestartSec=5` the pauses become 5, 10, 20,
    40 and then 60 s."""
    return tuple(("/bin/sh", "-c", _SCRIPT, "sh", unit, *map(str, part)) for part in _PARTS)
