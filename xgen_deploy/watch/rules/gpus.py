"""Alerts of GPUs. Pure."""

from xgen_deploy.watch.rules.alert import Alert, Group
from xgen_deploy.watch.rules.planned import but_planned_gpu

# Errors of a program rather than of the card or driver: 13 and 31 are bad accesses, 43 and 45 say
# that a program ended with work under way.
XID_IGNORED = (13, 31, 43, 45)
_GPU = "GPU {{ $labels.gpu_index }} of {{ $labels.host }}"
_GPUS = "xgen-deploy gpus MANIFEST --limit {{ $labels.host }}"
_CORDON = "xgen-deploy cordon MANIFEST {{ $labels.host }}:{{ $labels.gpu_index }}"

_MEMORY = """\
(
  xgen_gpu_memory_free_bytes < xgen_gpu_memory_reserved_bytes
  or
  xgen_gpu_memory_free_bytes < 0.01 * xgen_gpu_memory_total_bytes
)"""

_XIDS = f'xgen_gpu_xid_errors_total{{xid!~"{"|".join(map(str, XID_IGNORED))}"}}'
# A code's first error is a new series, which has no increase yet.
_XID = f"""\
(
  increase({_XIDS}[10m]) > 0
  or
  {_XIDS} unless {_XIDS} offset 10m and on (project, host) (up{{job="xgen"}} offset 10m == 1)
)"""

# The exporter's gauge keeps the last code until it restarts: only its changes tell.
_DCGM_XID = (
    "DCGM_FI_DEV_XID_ERRORS > 0"
    + "".join(f" != {code}" for code in XID_IGNORED)
    + "\nand\nchanges(DCGM_FI_DEV_XID_ERRORS[10m]) > 0"
    + "\nunless on (project, host) xgen:host_planned"
)

GPUS = Group(
    "xgen-gpus",
    (
        Alert(
            "XgenGpuMemoryLow",
            but_planned_gpu(_MEMORY),
            "10m",
            "warning",
            f"{_GPU} has {{{{ $value | humanize1024 }}}}B of memory left, less than is kept free or"
            " than 1 %.",
            _GPUS,
        ),
        Alert(
            "XgenGpuLost",
            but_planned_gpu("xgen_gpu_lost == 1"),
            "1m",
            "critical",
            f"{_GPU}, which instances use, is not there any more ({{{{ $labels.gpu_uuid }}}}).",
            _GPUS,
        ),
        Alert(
            "XgenGpuXid",
            but_planned_gpu(_XID),
            "0s",
            "critical",
            f"{_GPU}: the driver reported Xid {{{{ $labels.xid }}}}.",
            _CORDON,
        ),
        Alert(
            "XgenGpuXidByDcgm",
            _DCGM_XID,
            "0s",
            "critical",
            "GPU {{ $labels.gpu }} of {{ $labels.host }}: dcgm-exporter reports Xid {{ $value }}.",
            "xgen-deploy cordon MANIFEST {{ $labels.host }}:{{ $labels.gpu }}",
        ),
        Alert(
            "XgenGpuEccErrors",
            but_planned_gpu("xgen_gpu_ecc_uncorrected_errors_total > 0"),
            "0s",
            "critical",
            f"{_GPU} has had {{{{ $value }}}} memory errors that could not be corrected: what was"
            " computed may be wrong.",
            _CORDON,
        ),
        Alert(
            "XgenGpuRowRemapFailed",
            but_planned_gpu("xgen_gpu_row_remap_failure == 1"),
            "0s",
            "critical",
            f"{_GPU} could not replace a damaged row of its memory: it needs a new card.",
            _CORDON,
        ),
        Alert(
            "XgenGpuThrottled",
            but_planned_gpu("xgen_gpu_thermal_throttled == 1"),
            "5m",
            "warning",
            f"{_GPU} has been slowed down by heat for 5 minutes.",
            _GPUS,
        ),
        Alert(
            "XgenGpuHot",
            but_planned_gpu(
                "xgen_gpu_temperature_celsius > xgen_gpu_temperature_limit_celsius - 5"
            ),
            "10m",
            "warning",
            f"{_GPU} has been within 5 °C of where it slows down for 10 minutes:"
            " {{ $value }} °C.",
            _GPUS,
        ),
    ),
)
