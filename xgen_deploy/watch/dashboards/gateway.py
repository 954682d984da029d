"""The gateway: what clients ask it, and how it answers. Pure."""

from xgen_deploy.watch.dashboards.names import HOST, HOSTS, MODEL, PROJECT, SERVED
from xgen_deploy.watch.dashboards.panel import Dashboard, Panel, Query, Row

_BY_MODEL = "sum by (project, model)"
_SERVER = "{{model}} {{server}}"
_RECENT = "HAProxy's average of the last 1024 requests."


def _rate(metric: str, labels: str = MODEL) -> str:
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


_ANSWERS = "haproxy_backend_http_responses_total"
_ERROR = f'{MODEL},code="5xx"'

_MODELS = Row(
    "Models",
    (
        Panel(
            "Servers that pass their checks",
            (
                Query(
                    f"max by (project, model) (xgen_gateway_model_servers_healthy{{{MODEL}}})",
                    "{{model}}",
                ),
                Query(
                    f"max by (project, model) (xgen_gateway_model_servers{{{MODEL}}})",
                    "{{model}}, all",
                ),
            ),
        ),
        Panel(
            "Requests a second",
            (Query(f"{_BY_MODEL} ({_rate('haproxy_backend_http_requests_total')})", "{{model}}"),),
            unit="reqps",
        ),
        Panel(
            "Errors (5xx) of all answers",
            (
                Query(
                    f"{_BY_MODEL} ({_rate(_ANSWERS, _ERROR)})"
                    f" / ({_BY_MODEL} ({_rate(_ANSWERS)}) > 0)",
                    "{{model}}",
                ),
            ),
            unit="percentunit",
        ),
        Panel(
            "Answers by code",
            (
                Query(
                    f"sum by (project, model, code) ({_rate(_ANSWERS)}) > 0",
                    "{{model}} {{code}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Requests waiting",
            (Query(f"{_BY_MODEL} (haproxy_backend_current_queue{{{MODEL}}})", "{{model}}"),),
        ),
        Panel(
            "Time waiting",
            (
                Query(
                    f"max by (project, host, model)"
                    f" (haproxy_backend_queue_time_average_seconds{{{MODEL}}})",
                    "{{model}}",
                ),
            ),
            unit="s",
            about=_RECENT,
        ),
        Panel(
            "Time to the answer's first byte",
            (
                Query(
                    f"max by (project, host, model)"
                    f" (haproxy_backend_response_time_average_seconds{{{MODEL}}})",
                    "{{model}}",
                ),
            ),
            unit="s",
            about=_RECENT,
        ),
        Panel(
            "Time of a whole request",
            (
                Query(
                    f"max by (project, host, model)"
                    f" (haproxy_backend_total_time_average_seconds{{{MODEL}}})",
                    "{{model}}",
                ),
            ),
            unit="s",
            about=_RECENT,
        ),
        Panel(
            "Requests that clients gave up",
            (Query(f"{_BY_MODEL} ({_rate('haproxy_backend_client_aborts_total')})", "{{model}}"),),
            unit="reqps",
        ),
    ),
)

_SERVERS = Row(
    "Servers",
    (
        Panel(
            "Requests under way",
            (
                Query(
                    f"sum by (project, model, server) (haproxy_server_current_sessions{{{MODEL}}})",
                    _SERVER,
                ),
            ),
        ),
        Panel(
            "Up",
            (
                Query(
                    "max by (project, model, server)"
                    f' (haproxy_server_status{{{MODEL},state="UP"}})',
                    _SERVER,
                ),
            ),
            most=1,
        ),
        Panel(
            "Failed checks and connections",
            (
                Query(
                    "sum by (project, model, server)"
                    f" ({_rate('haproxy_server_check_failures_total')})",
                    f"{_SERVER} checks",
                ),
                Query(
                    "sum by (project, model, server)"
                    f" ({_rate('haproxy_server_connection_errors_total')})",
                    f"{_SERVER} connections",
                ),
            ),
        ),
    ),
)

_CLIENTS = Row(
    "Clients, and the gateway itself",
    (
        Panel(
            "Requests a second by client",
            (
                Query(
                    f"sum by (project, client) ({_rate('xgen_client_requests_total', HOST)})",
                    "{{client}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Refused for a client's rate",
            (
                Query(
                    "sum by (project, client)"
                    f" ({_rate('xgen_client_refused_by_rate_total', HOST)})",
                    "{{client}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Connections",
            (
                Query(f"max by (host) (haproxy_process_current_connections{{{HOST}}})", "{{host}}"),
                Query(
                    f"max by (host) (haproxy_process_max_connections{{{HOST}}})",
                    "{{host}}, at most",
                ),
            ),
        ),
    ),
)

GATEWAY = Dashboard(
    "gateway",
    "Gateway",
    "What clients ask the gateway, and how it answers.",
    (PROJECT, HOSTS, SERVED),
    (_MODELS, _SERVERS, _CLIENTS),
)
