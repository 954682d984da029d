"""Shell commands of a unit around its engine: the wait for GPUs and files, the pause before a
restart.
"""

from collections.abc import Sequence

from xgen_deploy.state.gpu import GPUInfo

# At boot a driver may load after the network.
_GPU_TRIES = 300  # each a fifth of a second; the unit's own deadline is longer
_WAIT_FOR_GPUS = (
    'times=$1; shift; for gpu; do n=0; until [ -e "$gpu" ]; do n=$((n+1)); '
    'if [ "$n" -gt "$times" ]; then echo "its GPU is not there: $gpu"; exit 1; fi; '
    "sleep 0.2; done; done"
)
# A disk or file server may be later still. A mount point is there before what is mounted on it, so
# that an empty folder is none. All files together have so many fifths of a second.
_FILE_TRIES = 150
_WAIT_FOR_FILES = (
    'times=$1; shift; n=0; for file; do until [ -e "$file" ] && '
    '{ ! [ -d "$file" ] || [ -n "$(ls -A "$file")" ]; }; do n=$((n+1)); '
    'if [ "$n" -gt "$times" ]; then echo "error: $file is not there"; exit 1; fi; '
    "sleep 0.2; done; done"
)

# Runs what follows with the numbers that NVIDIA's driver has for GPUs now. Where it tells none, or
# where MIG is on and CUDA counts otherwise, the UUIDs of the environment stay: never another card.
_WITH_NUMBERS = (
    "set -f; wanted=$1; shift; numbers=; known=$(timeout 30 nvidia-smi "
    "--query-gpu=index,uuid,mig.mode.current --format=csv,noheader) || known=; "
    'case $known in *"Enabled"*) known= ;; esac; '
    'number() { while IFS=", " read -r n uuid mig; do '
    '[ "$uuid" != "$1" ] || echo "$n"; done; }; '
    'for gpu in $wanted; do n=$(printf "%s\\n" "$known" | number "$gpu"); '
    'case $n in ""|*[!0-9]*) numbers=; break ;; esac; numbers=$numbers${numbers:+,}$n; done; '
    'if [ -n "$numbers" ]; then export CUDA_VISIBLE_DEVICES="$numbers"; '
    'else echo "nvidia-smi tells no sure numbers of its GPUs ($wanted): they are named by UUID, '
    'which an older engine may not read" >&2; fi; exec "$@"'
)

# The pause before a restart grows up to a minute, and restarts never stop.
# systemd.service(5): RestartSteps= and RestartMaxDelaySec= are there since version 254.
_HAS_STEPS = 254
# Seconds to wait beyond RestartSec=5 after the second, third, fourth and every later exit. They are
# split into three commands, because TimeoutStopSec= limits each command after a stop.
_PAUSE_PARTS = ((2, 5, 12, 19), (2, 5, 12, 18), (1, 5, 11, 18))
# After a run of ten minutes there is no pause. A manual stop or start ends it: systemd has a job
# for the unit then.
_PAUSE = (
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
    return tuple(("/bin/sh", "-c", _PAUSE, "sh", unit, *map(str, part)) for part in _PAUSE_PARTS)


def gpu_wait_argv(gpus: Sequence[GPUInfo], times: int = _GPU_TRIES) -> tuple[str, ...]:
    """A command that ends once the drivers have taken over all of `gpus`, and fails after `times`
    fifths of a second for one of them; () where there is nothing to wait for.

    NVIDIA's driver makes a folder under /proc for each card that it has taken over (its README,
    chapter "The /proc interface"); others have their render node.
    """
    paths = tuple(path for path in map(_ready_path, gpus) if path)
    return ("/bin/sh", "-c", _WAIT_FOR_GPUS, "sh", str(times), *paths) if paths else ()


def with_gpu_numbers(uuids: Sequence[str], argv: tuple[str, ...]) -> tuple[str, ...]:
    """`argv`, started with the GPUs' present numbers in CUDA_VISIBLE_DEVICES, in that order; as it
    is where there are no `uuids`. The process stays the same.
    """
    if not uuids:
        return argv
    return ("/bin/sh", "-c", _WITH_NUMBERS, "sh", " ".join(uuids), *argv)


def file_wait_argv(files: Sequence[str], times: int = _FILE_TRIES) -> tuple[str, ...]:
    """A command that ends once all of `files` are there, and fails after `times` fifths of a
    second; () where there are none."""
    return ("/bin/sh", "-c", _WAIT_FOR_FILES, "sh", str(times), *files) if files else ()


def _ready_path(gpu: GPUInfo) -> str | None:
    """The path that exists once the driver has taken the GPU over; None where none tells."""
    if gpu.software:
        return None
    if gpu.gpu_type == "nvidia":
        return f"/proc/driver/nvidia/gpus/{gpu.pci_bus_id}" if gpu.pci_bus_id else None
    return gpu.render_path
