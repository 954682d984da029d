"""What vLLM's endpoints add to its log: the version, and the context that it settled on."""

import json

from xgen_deploy.verify.report import LoadReport

VERSION = "/version"
MODELS = "/v1/models"


def with_page(report: LoadReport, path: str, page: str) -> LoadReport:
    """The report unchanged where the page is not what it should be."""
    try:
        value = json.loads(page)
        if path == VERSION:
            return report.model_copy(update={"version": str(value["version"])})
        if path == MODELS:
            return report.model_copy(update={"context": int(value["data"][0]["max_model_len"])})
    except (ValueError, KeyError, TypeError, IndexError):
        return report
    return report
