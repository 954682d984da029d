"""The fleet: hosts and their GPUs, and who runs there. Pure."""

from xgen_deploy.watch.dashboards.names import HOST, HOSTS, PROJECT
from xgen_deploy.watch.dashboards.panel import Dashboard, Panel, Query, Row

_GPU = "{{host}} GPU {{gpu_index}}"
_INSTANCE = "{{host}} {{instance}}"
_BY_GPU = "project, host, gpu_index, gpu_uuid"
_BY_INSTANCE = "project, host, instance, model"


def _gpu(metric: str) -> str:
    return f"max by ({_BY_GPU}) ({metric}{{{HOST}}})"


def _instance(metric: str) -> str:
    return f"max by ({_BY_INSTANCE}) ({metric}{{{HOST}}})"


def _stat(title: str, expr: str, *, unit: str = "short", alarming: float | None = None) -> Panel:
    return Panel(
        title, (Query(expr),), kind="stat", unit=unit, width=4, height=4, alarming=alarming
    )


_NOW = Row(
    "Now",
    (
        _stat("Hosts that answer", f'sum(up{{job="xgen",{HOST}}})'),
        _stat("Hosts that do not", f'count(up{{job="xgen",{HOST}}} == 0) or vector(0)', alarming=1),
        _stat("Instances that answer", f"sum(xgen_instance_up{{{HOST}}})"),
        _stat(
            "Instances that do not",
            f"count(xgen_instance_up{{{HOST}}} == 0 unless on (project, host, instance)"
            " xgen_instance_stopped_by_intent == 1) or vector(0)",
            alarming=1,
        ),
        _stat(
            "Alerts",
            f'count(ALERTS{{alertstate="firing",severity=~"critical|warning",{HOST}}})'
            " or vector(0)",
            alarming=1,
        ),
        _stat(
            "GPU memory in use",
            f"sum(xgen_gpu_memory_used_bytes{{{HOST}}})"
            f" / sum(xgen_gpu_memory_total_bytes{{{HOST}}})",
            unit="percentunit",
        ),
    ),
)

_WHERE = Row(
    "GPUs, and who runs there",
    (
        Panel(
            "GPUs",
            (
                Query(
                    f"max by ({_BY_GPU}, gpu_name, vendor, driver) (xgen_gpu_info{{{HOST}}})", ""
                ),
                Query(_gpu("xgen_gpu_memory_total_bytes"), "memory", "bytes"),
                Query(_gpu("xgen_gpu_memory_used_bytes"), "in use", "bytes"),
                Query(_gpu("xgen_gpu_memory_reserved_bytes"), "kept free", "bytes"),
                Query(_gpu("xgen_gpu_utilization_ratio"), "utilization", "percentunit"),
                Query(_gpu("xgen_gpu_temperature_celsius"), "temperature", "celsius"),
                Query(_gpu("xgen_gpu_power_watts"), "power", "watt"),
            ),
            kind="table",
            width=24,
            hidden=("project", "gpu_uuid"),
            about="What a card or its driver does not tell is empty, never 0.",
        ),
        Panel(
            "Instances",
            (
                Query(
                    "max by (project, host, instance, model, backend, runtime, gpu_index, n_ctx,"
                    f" slots) (xgen_instance_info{{{HOST}}})",
                    "",
                ),
                Query(_instance("xgen_instance_up"), "answers"),
                Query(_instance("xgen_instance_layers_offloaded"), "layers on GPUs"),
                Query(_instance("xgen_instance_layers"), "layers"),
            ),
            kind="table",
            width=24,
            hidden=("project",),
        ),
    ),
)

_GPUS = Row(
    "GPUs over time",
    (
        Panel(
            "Memory in use",
            (
                Query(
                    f"{_gpu('xgen_gpu_memory_used_bytes')} / {_gpu('xgen_gpu_memory_total_bytes')}",
                    _GPU,
                ),
            ),
            unit="percentunit",
            most=1,
        ),
        Panel(
            "Memory left",
            (
                Query(_gpu("xgen_gpu_memory_free_bytes"), _GPU),
                Query(_gpu("xgen_gpu_memory_reserved_bytes"), f"{_GPU}, kept free"),
            ),
            unit="bytes",
        ),
        Panel(
            "Utilization",
            (Query(_gpu("xgen_gpu_utilization_ratio"), _GPU),),
            unit="percentunit",
            most=1,
        ),
        Panel(
            "Temperature",
            (
                Query(_gpu("xgen_gpu_temperature_celsius"), _GPU),
                Query(_gpu("xgen_gpu_temperature_limit_celsius"), f"{_GPU}, limit"),
            ),
            unit="celsius",
            least=None,
        ),
        Panel("Power", (Query(_gpu("xgen_gpu_power_watts"), _GPU),), unit="watt"),
        Panel(
            "Faults",
            (
                Query(_gpu("xgen_gpu_ecc_uncorrected_errors_total"), f"{_GPU} ECC"),
                Query(_gpu("xgen_gpu_row_remap_failure"), f"{_GPU} row remap"),
                Query(_gpu("xgen_gpu_thermal_throttled"), f"{_GPU} slowed by heat"),
                Query(_gpu("xgen_gpu_lost"), f"{_GPU} lost"),
                Query(
                    f"max by ({_BY_GPU}, xid) (xgen_gpu_xid_errors_total{{{HOST}}})",
                    f"{_GPU} Xid {{{{xid}}}}",
                ),
            ),
        ),
    ),
)

_HOSTS = Row(
    "Hosts",
    (
        Panel(
            "Memory left",
            (
                Query(
                    f"max by (project, host) (xgen_host_memory_available_bytes{{{HOST}}})",
                    "{{host}}",
                ),
            ),
            unit="bytes",
        ),
        Panel(
            "Waiting for memory",
            (
                Query(
                    f"max by (project, host) (xgen_host_memory_pressure_ratio{{{HOST}}})",
                    "{{host}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Disk left for models",
            (
                Query(
                    f"max by (project, host, path) (xgen_models_disk_free_bytes{{{HOST}}})"
                    " / "
                    f"max by (project, host, path) (xgen_models_disk_size_bytes{{{HOST}}})",
                    "{{host}} {{path}}",
                ),
            ),
            unit="percentunit",
            most=1,
        ),
    ),
)

_UPKEEP = Row(
    "Upkeep",
    (
        Panel(
            "State of instances",
            (
                Query(_instance("xgen_instance_stopped_by_intent"), "stopped by intent"),
                Query(_instance("xgen_instance_drift"), "drift"),
                Query(_instance("xgen_instance_model_file_present"), "model file there"),
                Query(_instance("xgen_instance_gate_passed"), "passed its gate"),
                Query(_instance("xgen_instance_watchdog_gave_up"), "watchdog gave up"),
            ),
            kind="table",
            width=24,
            hidden=("project",),
        ),
        Panel(
            "Restarts in an hour",
            (
                Query(
                    f"sum by ({_BY_INSTANCE})"
                    f" (increase(xgen_instance_unit_restarts_total{{{HOST}}}[1h]))",
                    f"{_INSTANCE}, systemd",
                ),
                Query(
                    f"sum by ({_BY_INSTANCE})"
                    f" (increase(xgen_instance_watchdog_restarts_total{{{HOST}}}[1h]))",
                    f"{_INSTANCE}, watchdog",
                ),
            ),
        ),
        Panel(
            "Planned work",
            (
                Query(
                    f"max by (project, host) (xgen_change_in_progress{{{HOST}}})",
                    "{{host}}, change",
                ),
                Query(
                    f"max by (project, host, gpu_uuid) (xgen_maintenance{{{HOST}}})",
                    "{{host}} {{gpu_uuid}}, out of service",
                ),
            ),
        ),
        Panel(
            "Certificates end in",
            (
                Query(
                    "min by (project, host, certificate)"
                    f" (xgen_certificate_expiry_timestamp_seconds{{{HOST}}}) - time()",
                    "{{host}} {{certificate}}",
                ),
            ),
            unit="s",
        ),
        Panel(
            "How old the values are",
            (
                Query(
                    f"time() - max by (project, host, source)"
                    f" (xgen_collected_timestamp_seconds{{{HOST}}})",
                    "{{host}} {{source}}",
                ),
            ),
            unit="s",
            width=12,
            about="Older than three of their intervals they say nothing about now.",
        ),
        Panel(
            "The watchdog looked",
            (
                Query(
                    "time() - max by (project, host)"
                    f" (xgen_watchdog_last_run_timestamp_seconds{{{HOST}}})",
                    "{{host}}",
                ),
            ),
            unit="s",
            width=12,
        ),
    ),
)

FLEET = Dashboard(
    "fleet",
    "Fleet",
    "Hosts, their GPUs and who runs there. Facts of a host are up to a minute old.",
    (PROJECT, HOSTS),
    (_NOW, _WHERE, _GPUS, _HOSTS, _UPKEEP),
)
