"""What llama-server's `GET /props` adds to its log: sampling defaults, build, quantization, and
whether it takes images.
"""

from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.state.load_report import LoadReport

PROPS = "/props"
_SAMPLING = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "repeat_penalty": "repeat_penalty",
}  # not n_predict: it says -1 there whatever --predict states, which holds all the same


def with_props(report: LoadReport, page: str) -> LoadReport:
    """The report unchanged where the page is not what it should be."""
    try:
        props = read_json(page, PAGE)
        params = props["default_generation_settings"]["params"]
        return report.adding(
            vision=_flag(props.get("modalities"), "vision"),
            sampling={
                ours: float(params[theirs])
                for theirs, ours in _SAMPLING.items()
                if isinstance(params.get(theirs), int | float)
            },
            version=_text(props.get("build_info")) or report.version,
            quantization=_text(props.get("model_ftype")) or report.quantization,
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return report


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _flag(value: object, name: str) -> bool | None:
    flag = value.get(name) if isinstance(value, dict) else None
    return flag if isinstance(flag, bool) else None
