"""Alerts of what the users of a model notice. Pure."""

from xgen_deploy.watch.rules.alert import Alert, Group, Record
from xgen_deploy.watch.rules.planned import INSTANCE, but_planned

_STATUS = "xgen-deploy status MANIFEST --limit {{ $labels.host }}"
_WHO = "Instance {{ $labels.instance }} on {{ $labels.host }} (model {{ $labels.model }})"
_SIZING = "xgen-deploy fit MANIFEST {{ $labels.model }}"

_WAITING = f"""\
sum by ({INSTANCE}) (vllm:num_requests_waiting)
or
sum by ({INSTANCE}) (llamacpp:requests_deferred)"""


def _p95(histogram: str) -> str:
    rate = f"sum by ({INSTANCE}, le) (rate({histogram}_bucket[5m]))"
    return f"histogram_quantile(0.95, {rate})"


def _beyond(measured: str, objective: str) -> str:
    return f"{measured}\n> on ({INSTANCE})\nmax by ({INSTANCE}) ({objective})"


_MEAN_PER_TOKEN = f"""\
sum by ({INSTANCE}) (rate(llamacpp:tokens_predicted_seconds_total[5m]))
/
(sum by ({INSTANCE}) (rate(llamacpp:tokens_predicted_total[5m])) > 0)"""


def _share_of_errors(above: float) -> str:
    """Of the answers of a model through the gateway; one or two alone count for nothing."""
    answers = 'haproxy_backend_http_responses_total{model!=""}'
    errors = 'haproxy_backend_http_responses_total{model!="",code="5xx"}'
    by = "sum by (project, host, model)"
    return (
        f"{by} (rate({errors}[5m]))\n/\n"
        f"({by} (rate({answers}[5m])) > 0)\n> {above}\n"
        f"and\n{by} (increase({errors}[5m])) > 2"
    )


_ERRORS = (
    "{{ $value | humanizePercentage }} of the answers of model {{ $labels.model }} through the"
    " gateway on {{ $labels.host }} are errors (5xx)."
)
_GATEWAY_LOGS = "xgen-deploy logs MANIFEST gateway --limit {{ $labels.host }} --since 30m"

REQUESTS = Group(
    "xgen-requests",
    (
        Record("xgen:instance_requests_waiting", _WAITING),
        Alert(
            "XgenRequestsWaiting",
            but_planned("xgen:instance_requests_waiting > 0"),
            "5m",
            "warning",
            f"{_WHO} has had requests waiting for 5 minutes, {{{{ $value }}}} now.",
            _SIZING,
        ),
        Alert(
            "XgenGatewayQueue",
            'sum by (project, host, model) (haproxy_backend_current_queue{model!=""}) > 0',
            "5m",
            "warning",
            "Requests for model {{ $labels.model }} have waited in the gateway on"
            " {{ $labels.host }} for 5 minutes, {{ $value }} now.",
            "xgen-deploy status MANIFEST --limit {{ $labels.model }}",
        ),
        Alert(
            "XgenKvCacheNearlyFull",
            but_planned(
                f"max by ({INSTANCE}) (vllm:kv_cache_usage_perc) > 0.9\n"
                "and\nxgen:instance_requests_waiting > 0"
            ),
            "3m",
            "warning",
            f"{_WHO} has {{{{ $value | humanizePercentage }}}} of its KV cache in use, and requests"
            " wait for it.",
            _SIZING,
        ),
        Alert(
            "XgenPreemptions",
            but_planned(f"sum by ({INSTANCE}) (rate(vllm:num_preemptions_total[5m])) > 0"),
            "10m",
            "warning",
            f"{_WHO} has put requests back for want of KV cache for 10 minutes: they are computed"
            " again.",
            _SIZING,
        ),
        Alert(
            "XgenTimeToFirstTokenHigh",
            but_planned(
                _beyond(
                    _p95("vllm:time_to_first_token_seconds"),
                    "xgen_instance_objective_ttft_p95_seconds",
                )
            ),
            "5m",
            "warning",
            f"{_WHO} takes {{{{ $value | humanizeDuration }}}} to the first token (P95), more than"
            " its `slo` states.",
            _STATUS,
        ),
        Alert(
            "XgenTimePerTokenHigh",
            but_planned(
                _beyond(
                    _p95("vllm:request_time_per_output_token_seconds"),
                    "xgen_instance_objective_tpot_p95_seconds",
                )
            ),
            "5m",
            "warning",
            f"{_WHO} takes {{{{ $value | humanizeDuration }}}} for a token (P95), more than its"
            " `slo` states.",
            _STATUS,
        ),
        Alert(
            "XgenMeanTimePerTokenHigh",
            but_planned(_beyond(_MEAN_PER_TOKEN, "xgen_instance_objective_tpot_p95_seconds")),
            "5m",
            "warning",
            f"{_WHO} takes {{{{ $value | humanizeDuration }}}} for a token in the mean, more than"
            " its `slo` states for 95 % of requests.",
            _STATUS,
        ),
        Alert("XgenErrors", _share_of_errors(0.05), "5m", "warning", _ERRORS, _GATEWAY_LOGS),
        Alert("XgenManyErrors", _share_of_errors(0.2), "2m", "critical", _ERRORS, _GATEWAY_LOGS),
    ),
)
