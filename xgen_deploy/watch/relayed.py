"""The metrics of engines and of the gateway that the exporter passes on, and no others: a source's
page can be long, and what is not listed may tell of requests.

It is sent to hosts with the exporter: Python 3.8, standard library only. Pure.
"""

from __future__ import annotations

from xgen_deploy.watch.metrics import INSTANCE, Metric

# What ends the names of a histogram's series.
HISTOGRAM = ("_bucket", "_sum", "_count")


def _all(
    prefix: str, labels: tuple[str, ...], kinds: dict[str, str], text: str
) -> tuple[Metric, ...]:
    """`kinds`: kind -> the names, without the prefix."""
    return tuple(
        Metric(prefix + name, kind, labels, text)
        for kind, names in kinds.items()
        for name in names.split()
    )


_LLAMA = "as llama-server says it"
LLAMA_SERVER = _all(
    "llamacpp:",
    INSTANCE,
    {
        "counter": "prompt_tokens_total prompt_seconds_total tokens_predicted_total "
        "tokens_predicted_seconds_total n_decode_total n_tokens_max",
        "gauge": "prompt_tokens_seconds predicted_tokens_seconds requests_processing "
        "requests_deferred n_busy_slots_per_decode",
    },
    _LLAMA,
)

_VLLM = "as vLLM says it"
_ENGINE = (*INSTANCE, "model_name", "engine")
VLLM = (
    *_all(
        "vllm:",
        _ENGINE,
        {
            "gauge": "num_requests_running num_requests_waiting kv_cache_usage_perc",
            "counter": "num_preemptions_total prompt_tokens_total generation_tokens_total "
            "prefix_cache_queries_total prefix_cache_hits_total corrupted_requests_total",
            "histogram": "time_to_first_token_seconds inter_token_latency_seconds "
            "request_time_per_output_token_seconds e2e_request_latency_seconds "
            "request_queue_time_seconds request_prefill_time_seconds request_decode_time_seconds "
            "request_prompt_tokens request_generation_tokens",
        },
        _VLLM,
    ),
    *_all("vllm:", (*_ENGINE, "reason"), {"gauge": "num_requests_waiting_by_reason"}, _VLLM),
    *_all("vllm:", (*_ENGINE, "finished_reason"), {"counter": "request_success_total"}, _VLLM),
    *_all("vllm:", (*_ENGINE, "sleep_state"), {"gauge": "engine_sleep_state"}, _VLLM),
    *_all(
        "vllm:",
        (*INSTANCE, "model_name", "reason"),
        {"counter": "admission_rejections_total"},
        _VLLM,
    ),
    *_all(
        "", (*INSTANCE, "status", "handler", "method"), {"counter": "http_requests_total"}, _VLLM
    ),
)

# `proxy` is HAProxy's name for a model's servers; `model` and `instance` are added.
_PROXY = ("proxy", "model")
_SERVER = (*_PROXY, "server", "instance")
_HAPROXY = "as HAProxy says it"
HAPROXY = (
    *_all(
        "haproxy_process_",
        (),
        {"gauge": "current_connections max_connections start_time_seconds"},
        _HAPROXY,
    ),
    *_all(
        "haproxy_frontend_",
        _PROXY,
        {
            "gauge": "current_sessions limit_sessions",
            "counter": "http_requests_total bytes_in_total bytes_out_total requests_denied_total",
        },
        _HAPROXY,
    ),
    *_all(
        "haproxy_backend_",
        _PROXY,
        {
            "gauge": "current_queue current_sessions active_servers queue_time_average_seconds "
            "response_time_average_seconds total_time_average_seconds max_queue_time_seconds",
            "counter": "http_requests_total connection_errors_total response_errors_total "
            "retry_warnings_total redispatch_warnings_total client_aborts_total",
        },
        _HAPROXY,
    ),
    *_all(
        "haproxy_server_",
        _SERVER,
        {
            "gauge": "current_sessions current_queue queue_time_average_seconds "
            "response_time_average_seconds total_time_average_seconds",
            "counter": "check_failures_total check_up_down_total downtime_seconds_total "
            "connection_errors_total response_errors_total",
        },
        _HAPROXY,
    ),
    *_all("haproxy_frontend_", (*_PROXY, "code"), {"counter": "http_responses_total"}, _HAPROXY),
    *_all("haproxy_backend_", (*_PROXY, "code"), {"counter": "http_responses_total"}, _HAPROXY),
    *_all("haproxy_server_", (*_SERVER, "code"), {"counter": "http_responses_total"}, _HAPROXY),
    *_all("haproxy_backend_", (*_PROXY, "state"), {"gauge": "status agg_server_status"}, _HAPROXY),
    *_all("haproxy_server_", (*_SERVER, "state"), {"gauge": "status check_status"}, _HAPROXY),
)

# What the gateway counts for clients with keys of their own (gateway/clients.py).
CLIENTS = _all(
    "xgen_client_",
    ("client",),
    {
        "counter": "requests_total refused_by_rate_total responses_4xx_total responses_5xx_total "
        "received_kibibytes_total sent_kibibytes_total"
    },
    "by client, since the gateway's last reload",
)

# By what the names of an engine's metrics begin with.
BY_ENGINE = {"llamacpp": LLAMA_SERVER, "vllm": VLLM}
RELAYED = (*LLAMA_SERVER, *VLLM, *HAPROXY, *CLIENTS)


def series_names(metric: Metric) -> tuple[str, ...]:
    """The names that its lines begin with."""
    if metric.kind != "histogram":
        return (metric.name,)
    return tuple(metric.name + end for end in HISTOGRAM)
