"""What vLLM's endpoints add to its log: the version, and the context that it settled on."""

from xgen_deploy.bounded_json import read_json
from xgen_deploy.limits import PAGE
from xgen_deploy.state.load_report import LoadReport

VERSION = "/version"
MODELS = "/v1/models"


def report_endpoint(report: LoadReport, path: str, page: str) -> LoadReport:
    """The report unchanged where the page is not what it should be."""
    try:
        value = read_json(page, PAGE)
        if path == VERSION:
            return report.adding(version=value["version"])
        if path == MODELS:
            return report.adding(context=int(value["data"][0]["max_model_len"]))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, IndexError):
        return report
    return report
