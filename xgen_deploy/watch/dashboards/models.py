"""The models: requests, waiting, speed, of both engines in the same panels. Pure."""

from xgen_deploy.watch.dashboards.names import HOSTS, MODEL, MODELS, PROJECT
from xgen_deploy.watch.dashboards.panel import Dashboard, Panel, Query, Row

_BY = "project, host, instance, model"
_INSTANCE = "{{host}} {{instance}}"
_LLAMA_ONLY = "llama-server alone tells it."
_VLLM_ONLY = "vLLM alone tells it."

_RUNNING = ("vllm:num_requests_running", "llamacpp:requests_processing")
_WAITING = ("vllm:num_requests_waiting", "llamacpp:requests_deferred")
_GENERATED = ("vllm:generation_tokens_total", "llamacpp:tokens_predicted_total")
_READ = ("vllm:prompt_tokens_total", "llamacpp:prompt_tokens_total")


def _sum(by: str, metrics: tuple[str, ...]) -> str:
    """Of whichever engine has it."""
    either = " or ".join(f"{metric}{{{MODEL}}}" for metric in metrics)
    return f"sum by ({by}) ({either})"


def _rate(by: str, metrics: tuple[str, ...]) -> str:
    either = " or ".join(f"rate({metric}{{{MODEL}}}[$__rate_interval])" for metric in metrics)
    return f"sum by ({by}) ({either})"


def _quantile(quantile: float, histogram: str) -> str:
    rate = f"rate({histogram}_bucket{{{MODEL}}}[$__rate_interval])"
    return f"histogram_quantile({quantile}, sum by ({_BY}, le) ({rate}))"


def _objective(metric: str) -> Query:
    return Query(f"max by (project, model) ({metric}{{{MODEL}}})", "{{model}}, slo")


def _percentiles(title: str, histogram: str, *more: Query, about: str = _VLLM_ONLY) -> Panel:
    return Panel(
        title,
        (
            Query(_quantile(0.5, histogram), f"{_INSTANCE} P50"),
            Query(_quantile(0.95, histogram), f"{_INSTANCE} P95"),
            *more,
        ),
        unit="s",
        about=about,
    )


_SUMMED = Row(
    "Models, summed over their replicas",
    (
        Panel("Requests under way", (Query(_sum("project, model", _RUNNING), "{{model}}"),)),
        Panel("Requests waiting", (Query(_sum("project, model", _WAITING), "{{model}}"),)),
        Panel(
            "Generated tokens a second",
            (Query(_rate("project, model", _GENERATED), "{{model}}"),),
        ),
    ),
)

_INSTANCES = Row(
    "Instances",
    (
        Panel("Requests under way", (Query(_sum(_BY, _RUNNING), _INSTANCE),)),
        Panel("Requests waiting", (Query(_sum(_BY, _WAITING), _INSTANCE),)),
        Panel("Generated tokens a second", (Query(_rate(_BY, _GENERATED), _INSTANCE),)),
        Panel("Prompt tokens a second", (Query(_rate(_BY, _READ), _INSTANCE),)),
        _percentiles(
            "Time to the first token",
            "vllm:time_to_first_token_seconds",
            _objective("xgen_instance_objective_ttft_p95_seconds"),
        ),
        _percentiles(
            "Time per further token",
            "vllm:request_time_per_output_token_seconds",
            Query(
                f"{_rate(_BY, ('llamacpp:tokens_predicted_seconds_total',))}"
                f" / ({_rate(_BY, ('llamacpp:tokens_predicted_total',))} > 0)",
                f"{_INSTANCE} mean",
            ),
            _objective("xgen_instance_objective_tpot_p95_seconds"),
            about="Percentiles of vLLM; llama-server tells a mean.",
        ),
        _percentiles("Time in the engine's queue", "vllm:request_queue_time_seconds"),
        _percentiles("Time of a whole request", "vllm:e2e_request_latency_seconds"),
        Panel(
            "KV cache in use",
            (Query(f"max by ({_BY}) (vllm:kv_cache_usage_perc{{{MODEL}}})", _INSTANCE),),
            unit="percentunit",
            most=1,
            about=_VLLM_ONLY,
        ),
        Panel(
            "Requests put back for want of KV cache",
            (Query(_rate(_BY, ("vllm:num_preemptions_total",)), _INSTANCE),),
            unit="reqps",
            about=_VLLM_ONLY,
        ),
        Panel(
            "Requests computed together",
            (
                Query(
                    f"max by ({_BY}) (llamacpp:n_busy_slots_per_decode{{{MODEL}}})",
                    _INSTANCE,
                ),
            ),
            about=_LLAMA_ONLY,
        ),
        Panel(
            "Requests that ended",
            (
                Query(
                    _rate(f"{_BY}, finished_reason", ("vllm:request_success_total",)),
                    f"{_INSTANCE} {{{{finished_reason}}}}",
                ),
            ),
            unit="reqps",
            about=_VLLM_ONLY,
        ),
    ),
)

MODELS_DASHBOARD = Dashboard(
    "models",
    "Models",
    "Requests, waiting and speed of llama-server and vLLM.",
    (PROJECT, HOSTS, MODELS),
    (_SUMMED, _INSTANCES),
)
