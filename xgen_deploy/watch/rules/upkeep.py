"""Alerts of what wears out, drifts or is not told any more. Pure."""

from xgen_deploy.watch.rules.alert import Alert, Group
from xgen_deploy.watch.rules.planned import INSTANCE, but_planned, but_planned_host

HEARTBEAT = "XgenHeartbeat"
_WHO = "Instance {{ $labels.instance }} on {{ $labels.host }} (model {{ $labels.model }})"
_LOGS = "xgen-deploy logs MANIFEST {{ $labels.instance }} --limit {{ $labels.host }} --since 30m"
_STATUS = "xgen-deploy status MANIFEST --limit {{ $labels.host }}"
_DRIFT = "xgen-deploy plan MANIFEST --drift --limit {{ $labels.host }}"
_PRUNE = "xgen-deploy models prune MANIFEST --limit {{ $labels.host }}"

_RESTARTS = f"""\
(
  sum by ({INSTANCE}) (increase(xgen_instance_unit_restarts_total[15m])) > 2.5
  or
  sum by ({INSTANCE}) (increase(xgen_instance_watchdog_restarts_total[15m])) > 2.5
)"""

_WATCHDOG = """\
time() - max by (project, host) (xgen_watchdog_last_run_timestamp_seconds) > 300
and on (project, host)
max by (project, host) (xgen_instance_up) == 1"""

_OVERDUE = """\
max by (project, host) (xgen_change_in_progress) == 1
and on (project, host)
max by (project, host) (xgen_change_deadline_timestamp_seconds) < time()"""

_MEMORY = """\
(
  xgen_host_memory_pressure_ratio > 0.1
  or
  xgen_host_memory_available_bytes / xgen_host_memory_total_bytes < 0.05
)"""


def _of_source(expr: str) -> str:
    """The source `engine:NAME` is that instance."""
    return but_planned(f'label_replace(\n  {expr},\n  "instance", "$1", "source", "engine:(.+)"\n)')


def _free_disk(below: float) -> str:
    return f"xgen_models_disk_free_bytes / xgen_models_disk_size_bytes < {below}"


def _days_left(below: int) -> str:
    return f"xgen_certificate_expiry_timestamp_seconds - time() < {below * 86400}"


_DISK = (
    "The disk for models on {{ $labels.host }} ({{ $labels.path }}) has"
    " {{ $value | humanizePercentage }} left."
)
_CERTIFICATE = (
    "The certificate {{ $labels.certificate }} on {{ $labels.host }} ends in"
    " {{ $value | humanizeDuration }}."
)

WATCHDOG = (
    Alert(
        "XgenRestartLoop",
        but_planned(_RESTARTS),
        "0s",
        "critical",
        f"{_WHO} was restarted {{{{ $value | printf `%.0f` }}}} times in 15 minutes.",
        _LOGS,
    ),
    Alert(
        "XgenWatchdogGaveUp",
        but_planned("xgen_instance_watchdog_gave_up == 1"),
        "0s",
        "critical",
        f"{_WHO} does not come back: the watchdog gave up.",
        _LOGS,
    ),
    Alert(
        "XgenWatchdogSilent",
        but_planned_host(_WATCHDOG),
        "1m",
        "warning",
        "The watchdog on {{ $labels.host }} has not looked for {{ $value | humanizeDuration }}:"
        " what dies there stays down.",
        _DRIFT,
    ),
)

DRIFT = (
    Alert(
        "XgenDrift",
        but_planned("xgen_instance_drift == 1"),
        "1d",
        "warning",
        f"{_WHO} has not been what was applied for a day.",
        _DRIFT,
    ),
    Alert(
        "XgenModelFileGone",
        but_planned("xgen_instance_model_file_present == 0"),
        "1m",
        "warning",
        f"{_WHO}: its model's files are gone from the disk, so its next start fails.",
        "xgen-deploy fetch MANIFEST --limit {{ $labels.host }}",
    ),
    Alert(
        "XgenGateFailed",
        but_planned("xgen_instance_gate_passed == 0"),
        "15m",
        "warning",
        f"{_WHO} did not pass its gate in its last change.",
        "xgen-deploy history MANIFEST",
    ),
    Alert(
        "XgenChangeOverdue",
        _OVERDUE,
        "1m",
        "warning",
        "A change of {{ $labels.host }} has been in progress beyond its deadline: its alerts are"
        " not held back any more.",
        _STATUS,
    ),
)

RESOURCES = (
    Alert(
        "XgenModelsDiskNearlyFull",
        _free_disk(0.1),
        "10m",
        "warning",
        _DISK,
        _PRUNE,
    ),
    Alert(
        "XgenModelsDiskFull",
        _free_disk(0.03),
        "5m",
        "critical",
        _DISK,
        _PRUNE,
    ),
    Alert(
        "XgenMemoryShort",
        _MEMORY,
        "10m",
        "warning",
        "Programs on {{ $labels.host }} have had too little memory for 10 minutes.",
        _STATUS,
    ),
    Alert(
        "XgenCertificateExpires",
        _days_left(14),
        "1h",
        "warning",
        _CERTIFICATE,
        _DRIFT,
    ),
    Alert(
        "XgenCertificateExpiresSoon",
        _days_left(2),
        "5m",
        "critical",
        _CERTIFICATE,
        _DRIFT,
    ),
)

TOLD = (
    Alert(
        "XgenSourceStale",
        _of_source(
            "time() - xgen_collected_timestamp_seconds > 3 * xgen_collection_interval_seconds"
        ),
        "1m",
        "warning",
        "What is shown of {{ $labels.source }} on {{ $labels.host }} is"
        " {{ $value | humanizeDuration }} old: it says nothing about now.",
        _STATUS,
    ),
    Alert(
        "XgenSourceFailing",
        _of_source("xgen_collection_error == 1"),
        "5m",
        "warning",
        "{{ $labels.source }} on {{ $labels.host }} cannot be read: nothing is known of it.",
        _STATUS,
    ),
    Alert(
        "XgenClockAhead",
        "max by (project, host) (xgen_collected_timestamp_seconds) - time() > 30",
        "5m",
        "warning",
        "The clock of {{ $labels.host }} is {{ $value | humanizeDuration }} ahead: what is old"
        " there does not look it.",
        "timedatectl",
    ),
    Alert(
        HEARTBEAT,
        "vector(1)",
        "0s",
        "none",
        "Alerts of these hosts can be sent. It fires as long as that is so.",
        "xgen-deploy status MANIFEST",
    ),
)

UPKEEP = Group("xgen-upkeep", (*WATCHDOG, *DRIFT, *RESOURCES, *TOLD))
