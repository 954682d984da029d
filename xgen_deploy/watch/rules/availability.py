"""Alerts of what does not answer. Pure."""

from xgen_deploy.watch.rules.alert import Alert, Group
from xgen_deploy.watch.rules.planned import (
    but_planned,
    but_planned_host,
    but_planned_model,
)

_STATUS = "xgen-deploy status MANIFEST --limit {{ $labels.host }}"

AVAILABILITY = Group(
    "xgen-availability",
    (
        Alert(
            "XgenHostDown",
            'up{job="xgen"} == 0\nunless on (project, host) xgen:host_planned',
            "1m",
            "critical",
            "Host {{ $labels.host }} does not answer: nothing is known of what runs there.",
            _STATUS,
        ),
        Alert(
            "XgenHostFlapping",
            'changes(up{job="xgen"}[15m]) >= 4\nunless on (project, host) xgen:host_planned',
            "0s",
            "warning",
            "Host {{ $labels.host }} comes and goes: {{ $value }} changes in 15 minutes.",
            _STATUS,
        ),
        Alert(
            "XgenNothingWatched",
            'absent(up{job="xgen"})',
            "5m",
            "critical",
            "Prometheus knows no host to ask: none of the hosts is watched.",
            "xgen-deploy plan MANIFEST --drift",
        ),
        Alert(
            "XgenExporterDown",
            'up{job=~"node|gpu-vendor"} == 0\nunless on (project, host) xgen:host_planned',
            "5m",
            "warning",
            "The exporter {{ $labels.job }} on {{ $labels.host }} does not answer.",
            _STATUS,
        ),
        Alert(
            "XgenInstanceDown",
            but_planned("xgen_instance_up == 0"),
            "1m",
            "critical",
            "Instance {{ $labels.instance }} on {{ $labels.host }} (model {{ $labels.model }}) does"
            " not answer.",
            "xgen-deploy logs MANIFEST {{ $labels.instance }} --limit {{ $labels.host }}"
            " --since 30m",
        ),
        Alert(
            "XgenGatewayDown",
            but_planned_host("xgen_gateway_up == 0"),
            "1m",
            "critical",
            "The gateway on {{ $labels.host }} does not answer: no model can be reached through"
            " it.",
            "xgen-deploy logs MANIFEST gateway --limit {{ $labels.host }} --since 30m",
        ),
        Alert(
            "XgenModelWithoutServer",
            but_planned_model(
                "min by (project, host, model) (xgen_gateway_model_servers_healthy) == 0"
            ),
            "1m",
            "critical",
            "Model {{ $labels.model }} has no healthy server behind the gateway on"
            " {{ $labels.host }}: its requests fail.",
            "xgen-deploy verify MANIFEST --limit {{ $labels.model }}",
        ),
    ),
)
