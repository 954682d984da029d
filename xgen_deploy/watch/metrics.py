"""The metrics that this tool exports itself: the one table of them, which the exporter, the rules,
the dashboards and docs/metrics.md follow. relayed.py has those of engines and gateway.

It is sent to hosts with the exporter: Python 3.8, standard library only. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

# On every series.
COMMON = ("project", "host")
# On every series of one instance, and on what its engine says itself.
INSTANCE = ("instance", "model")
GPU = ("gpu_uuid", "gpu_index")


class Metric(NamedTuple):
    """`kind` as in the text format; `labels` without COMMON."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def _gauges(labels: tuple[str, ...], helps: dict[str, str]) -> tuple[Metric, ...]:
    """Counters are told by their names."""
    return tuple(
        Metric(name, "counter" if name.endswith("_total") else "gauge", labels, text)
        for name, text in helps.items()
    )


INSTANCES = (
    Metric(
        "xgen_instance_info",
        "gauge",
        (*INSTANCE, "backend", "runtime", "n_ctx", "slots", *GPU),
        "1 for each GPU of the instance; on the CPU one series without a GPU",
    ),
    *_gauges(
        INSTANCE,
        {
            "xgen_instance_up": "1 while its engine answers",
            "xgen_instance_stopped_by_intent": "1 where an operator stopped it",
            "xgen_instance_layers_stated": "layers on GPUs by the manifest; not where all are",
            "xgen_instance_layers_offloaded": "layers on GPUs by the engine's report",
            "xgen_instance_layers": "layers of the model by the engine's report",
            "xgen_instance_gate_passed": "1 where its last change passed the gate",
            "xgen_instance_watchdog_restarts_total": "by the watchdog, since it last was well",
            "xgen_instance_watchdog_gave_up": "1 where the watchdog stopped restarting it",
            "xgen_instance_unit_restarts_total": "by systemd, since it was started",
            "xgen_instance_drift": "1 where its files are not those that were applied",
            "xgen_instance_model_file_present": "1 where its model's files are there",
            "xgen_instance_objective_ttft_p95_seconds": "the stated time to the first token",
            "xgen_instance_objective_tpot_p95_seconds": "the stated time per further token",
        },
    ),
)

GATEWAY = (
    *_gauges((), {"xgen_gateway_up": "1 while the gateway of this host answers"}),
    *_gauges(
        ("model",),
        {
            "xgen_gateway_model_servers": "servers that the gateway has for the model",
            "xgen_gateway_model_servers_healthy": "those of them that pass its checks",
        },
    ),
)

GPUS = (
    Metric("xgen_gpu_info", "gauge", (*GPU, "gpu_name", "vendor", "driver"), "1 for each GPU"),
    *_gauges(
        GPU,
        {
            "xgen_gpu_memory_total_bytes": "its memory",
            "xgen_gpu_memory_used_bytes": "its memory in use",
            "xgen_gpu_memory_free_bytes": "its memory that is free",
            "xgen_gpu_memory_reserved_bytes": "its memory that is never planned: xgen_reserved_mb",
            "xgen_gpu_utilization_ratio": "the share of time in which it worked, 0 to 1",
            "xgen_gpu_temperature_celsius": "its temperature",
            "xgen_gpu_temperature_limit_celsius": "where it begins to slow down",
            "xgen_gpu_power_watts": "what it draws",
            "xgen_gpu_thermal_throttled": "1 while it is slowed down by heat",
            "xgen_gpu_ecc_uncorrected_errors_total": "since its driver started",
            "xgen_gpu_row_remap_failure": "1 where a damaged row of memory could not be replaced",
            "xgen_gpu_lost": "1 where instances use it and it is not there",
        },
    ),
    Metric(
        "xgen_gpu_xid_errors_total",
        "counter",
        (*GPU, "xid"),
        "errors of NVIDIA's driver in the kernel's log since boot",
    ),
)

HOST = (
    *_gauges(
        (),
        {
            "xgen_host_memory_total_bytes": "the host's memory",
            "xgen_host_memory_available_bytes": "the host's memory that programs can still get",
            "xgen_host_memory_pressure_ratio": "the share of 60 s that programs waited for memory",
        },
    ),
    *_gauges(
        ("path",),
        {
            "xgen_models_disk_size_bytes": "the disk that the folder of models is on",
            "xgen_models_disk_free_bytes": "what of it is free",
        },
    ),
)

PROJECT = (
    *_gauges(
        (),
        {
            "xgen_change_in_progress": "1 while an apply works on this host",
            "xgen_change_deadline_timestamp_seconds": "until when it mutes alerts",
            "xgen_watchdog_last_run_timestamp_seconds": "when the watchdog last looked",
        },
    ),
    *_gauges(
        ("gpu_uuid",),
        {"xgen_maintenance": "1 while the host (no GPU named) or the GPU is out of service"},
    ),
    *_gauges(
        ("certificate",),
        {"xgen_certificate_expiry_timestamp_seconds": "when a certificate of this host ends"},
    ),
)

# `source` is facts, gpus, host, gateway, or engine:INSTANCE.
COLLECTION = _gauges(
    ("source",),
    {
        "xgen_collected_timestamp_seconds": "when the source last answered",
        "xgen_collection_interval_seconds": "how old its values may be at most, if all is well",
        "xgen_collection_error": "1 where its last answer could not be used",
    },
)

OWN = (*INSTANCES, *GATEWAY, *GPUS, *HOST, *PROJECT, *COLLECTION)
