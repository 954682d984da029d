"""What the GPU vendors' own exporters tell, where they run. Pure."""

from xgen_deploy.watch.dashboards.panel import Dashboard, Panel, Query, Row, Variable

_NVIDIA = "{{host}} GPU {{gpu}}"
_AMD = "{{host}} GPU {{gpu_id}}"
_WHERE = 'host=~"$host"'
_HOSTS = Variable("host", "Host", 'label_values(up{job="gpu-vendor"}, host)')


def _panel(title: str, nvidia: str, amd: str, unit: str) -> Panel:
    queries = (Query(nvidia, _NVIDIA), Query(amd, _AMD))
    return Panel(title, queries, unit=unit, width=12)


VENDORS = Dashboard(
    "gpu-vendors",
    "GPUs by their vendors' exporters",
    "What dcgm-exporter and AMD's device-metrics-exporter tell, where they run.",
    (_HOSTS,),
    (
        Row(
            "GPUs",
            (
                _panel(
                    "Memory in use",
                    f"DCGM_FI_DEV_FB_USED{{{_WHERE}}} * 1048576",
                    f"gpu_used_vram{{{_WHERE}}} * 1048576",
                    "bytes",
                ),
                _panel(
                    "Memory left",
                    f"DCGM_FI_DEV_FB_FREE{{{_WHERE}}} * 1048576",
                    f"gpu_free_vram{{{_WHERE}}} * 1048576",
                    "bytes",
                ),
                _panel(
                    "Temperature",
                    f"DCGM_FI_DEV_GPU_TEMP{{{_WHERE}}}",
                    f"gpu_junction_temperature{{{_WHERE}}}",
                    "celsius",
                ),
                Panel(
                    "Power",
                    (Query(f"DCGM_FI_DEV_POWER_USAGE{{{_WHERE}}}", _NVIDIA),),
                    unit="watt",
                    width=12,
                ),
                _panel(
                    "Memory errors",
                    f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{{{_WHERE}}}",
                    f"gpu_ecc_uncorrect_total{{{_WHERE}}}",
                    "short",
                ),
                Panel(
                    "Last Xid",
                    (Query(f"DCGM_FI_DEV_XID_ERRORS{{{_WHERE}}}", _NVIDIA),),
                    width=12,
                    about="It stays until the exporter restarts.",
                ),
            ),
        ),
    ),
)
