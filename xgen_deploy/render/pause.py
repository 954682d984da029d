"""The pause before a unit is started again grows, up to a minute; nothing gives up for good."""

# systemd.service(5): RestartSteps= and RestartMaxDelaySec= are there since version 254.
_HAS_STEPS = 254
# Seconds beyond RestartSec=5 after the second, third, fourth and every later end, in parts: each
# command after a stop has TimeoutStopSec= of its own.
_PARTS = ((2, 5, 12, 19), (2, 5, 12, 18), (1, 5, 11, 18))
# A run of ten minutes was a good one. Whoever stops or starts it by hand does not wait: that is a
# job of systemd's.
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
    """Whether this version of systemd lets the pause grow; older ones need `pause_argvs`."""
    return systemd is not None and systemd >= _HAS_STEPS


def pause_argvs(unit: str) -> tuple[tuple[str, ...], ...]:
    """Commands for after a stop, one after the other: with `RestartSec=5` the pauses are 5, 10,
    20, 40 and then 60 s."""
    return tuple(("/bin/sh", "-c", _SCRIPT, "sh", unit, *map(str, part)) for part in _PARTS)
